"""Packages with folders inside, pushed and pulled."""

import json
import shutil

import pytest

from lowres_stilts.hub.kinds import files_of
from lowres_stilts.hub.verify import open_package
from tests.hub.adapter_runs import finished_adapters
from tests.hub_repo_server import WRITER

BELOW = "below/1-intermediate/adapter.safetensors"


@pytest.fixture(scope="session")
def packages(once):
    return finished_adapters(once, "languages")[1]


@pytest.fixture
def sound(packages):
    return packages["2-target"]


def contents(folder):
    return {name: path.read_bytes() for name, path in files_of(folder).items()}


def test_what_was_pushed_is_pulled_byte_by_byte(hub, shell, sound, tmp_path):
    done = shell("hub", "push", "-y", sound, "me/mood", token=WRITER)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(hub.repositories["me/mood"].head) == {".gitattributes", *contents(sound)}
    assert BELOW in contents(sound)
    pulled = shell("hub", "pull", "me/mood", "-o", tmp_path / "mine")
    assert (pulled.returncode, pulled.stderr) == (0, "")
    assert contents(tmp_path / "mine") == contents(sound)
    assert open_package(tmp_path / "mine").manifest.kind == "bottleneck"
    again = shell("hub", "pull", "me/mood", "-o", tmp_path / "mine")
    assert "up to date" in again.stdout
    (tmp_path / "mine" / BELOW).write_bytes(b"")
    assert shell("hub", "pull", "me/mood", "-o", tmp_path / "mine").returncode == 1
    assert "nothing to send" in shell("hub", "push", "-y", sound, "me/mood").stdout
    assert [row["repo"] for row in json.loads(shell("hub", "list", "--author", "me", "--json").stdout)] == [
        "me/mood"
    ]
    verified = shell("hub", "verify", "me/mood")
    assert verified.stdout.startswith("me/mood: sound; small, bottleneck")


def test_another_package_takes_the_place_of_the_former_whole(hub, shell, packages, sound):
    assert shell("hub", "push", "-y", sound, "me/mood", token=WRITER).returncode == 0
    assert shell("hub", "push", "-y", packages["0-language-sw"], "me/mood", token=WRITER).returncode == 0
    assert set(hub.repositories["me/mood"].head) == {".gitattributes", *contents(packages["0-language-sw"])}


def test_what_is_tampered_with_inside_is_refused(hub, shell, sound, tmp_path):
    files = contents(sound)
    strange = {"below/x/y/adapter.safetensors": b"x", "below/run.py": b"x", "languages/../stilts.json": b"x"}
    hub.repository("me/mood", files | strange)
    assert shell("hub", "pull", "me/mood", "-o", tmp_path / "sound").returncode == 0
    assert contents(tmp_path / "sound") == files
    hub.repository("me/mood", files | {BELOW: files[BELOW][:-1]})
    refused = shell("hub", "pull", "me/mood", "-o", tmp_path / "out")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert f"{BELOW}: changed" in refused.stderr
    assert not (tmp_path / "out").exists()


def test_a_place_with_something_else_inside_is_kept(hub, shell, sound, tmp_path):
    hub.repository("me/mood", contents(sound))
    place = shutil.copytree(sound, tmp_path / "mine")
    (place / "below" / "notes.txt").write_text("mine")
    refused = shell("hub", "pull", "me/mood", "-o", place)
    assert "exists and is not me/mood at" in refused.stderr
    assert (place / "below" / "notes.txt").read_text() == "mine"
