"""Bundles on the Hub: the real client against a server on this machine."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lowres_stilts.runtime import Bundle
from tests.commands import ask, call
from tests.hub.test_remote import refused
from tests.hub_repo_server import WRITER
from tests.shell import hub_environment

DOWNLOAD = """
import sys
from huggingface_hub import snapshot_download

print(snapshot_download("me/names", local_dir=sys.argv[1] if sys.argv[1:] else None))
"""
WITHOUT_TORCH = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers", "peft", "onnx"}:
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, Blocked())
from lowres_stilts.cli import main

main()
"""


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def pushed(hub, shell, zoo):
    done = shell("hub", "push", "-y", zoo.bundle, "me/names", token=WRITER)
    assert (done.returncode, done.stderr) == (0, "")
    return hub.repositories["me/names"]


def test_a_bundle_is_pulled_as_it_was_pushed_and_answers(pushed, shell, zoo, tmp_path):
    assert set(pushed.head) == {".gitattributes", *contents(zoo.bundle)}
    done = shell("hub", "pull", "me/names", "-o", tmp_path / "bundle")
    assert (done.returncode, "pulled and sound" in done.stdout) == (0, True), done.stderr
    assert contents(tmp_path / "bundle") == contents(zoo.bundle)
    again = shell("hub", "pull", "me/names", "-o", tmp_path / "bundle")
    assert "up to date" in again.stdout
    texts = ["glad sun"]
    assert Bundle.load(tmp_path / "bundle").predict(texts, "first") == Bundle.load(zoo.bundle).predict(
        texts, "first"
    )


def test_the_same_again_sends_nothing(pushed, shell, zoo):
    assert "nothing to send" in shell("hub", "push", "-y", zoo.bundle, "me/names", token=WRITER).stdout


def test_verify_and_show_take_a_bundle_and_its_repository(pushed, shell, zoo):
    for place in (zoo.bundle, "me/names"):
        done = shell("hub", "verify", place)
        assert (done.returncode, "sound; a bundle over" in done.stdout) == (0, True), done.stderr
        shown = shell("hub", "show", place)
        assert "| first | mood | classification |" in shown.stdout, shown.stderr
        assert '"adapters"' in shell("hub", "show", place, "--json").stdout
    refused(shell("hub", "verify", zoo.bundle, "--scores"), "--scores", code=2)


def test_a_damaged_bundle_is_neither_pushed_nor_pulled(hub, shell, zoo, tmp_path):
    folder = shutil.copytree(zoo.bundle, tmp_path / "bundle")
    (folder / "weights.bin").write_bytes(b"x")
    refused(
        shell("hub", "push", "-y", folder, "me/names", token=WRITER), "weights.bin: changed since it was summed"
    )
    assert "me/names" not in hub.repositories
    hub.repository("me/names", contents(folder))
    refused(shell("hub", "pull", "me/names", "-o", tmp_path / "out" / "names"), "me/names at", "weights.bin")
    assert list((tmp_path / "out").iterdir()) == []


def program(hub, home, code, *arguments):
    """What a Python program prints that knows no Hub but this one."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(
        command, env=hub_environment(hub.endpoint, home), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_what_the_hubs_own_client_downloads_is_the_bundle(pushed, hub, shell, zoo, tmp_path):
    cached = Path(program(hub, tmp_path / "home", DOWNLOAD))
    local = Path(program(hub, tmp_path / "home", DOWNLOAD, tmp_path / "local"))
    assert (cached / "weights.bin").is_symlink()
    assert (local / ".cache" / "huggingface").is_dir()
    expected = Bundle.load(zoo.bundle, threads=1).predict(["glad sun"], "first")
    for folder in (cached, local):
        assert (folder / ".gitattributes").exists()
        assert shell("hub", "verify", folder).returncode == 0
        assert Bundle.load(folder, threads=1).predict(["glad sun"], "first") == expected
        assert "nothing to send" in shell("hub", "push", "-y", folder, "me/names").stdout
        assert "up to date" in shell("hub", "pull", "me/names", "-o", folder).stdout
    (local / "weights.bin").write_bytes((local / "weights.bin").read_bytes()[:-1] + b"x")
    refused(shell("hub", "verify", local), "weights.bin: changed since it was summed")


def test_neither_torch_nor_onnx_is_needed_to_pull_verify_and_show_one(pushed, hub, tmp_path):
    home, folder = tmp_path / "home", tmp_path / "bundle"
    assert "pulled and sound" in program(hub, home, WITHOUT_TORCH, "hub", "pull", "me/names", "-o", folder)
    assert "sound; a bundle over" in program(hub, home, WITHOUT_TORCH, "hub", "verify", folder)
    assert "| first | mood |" in program(hub, home, WITHOUT_TORCH, "hub", "show", "me/names")
    assert "bundle" in program(hub, home, WITHOUT_TORCH, "hub", "list", tmp_path)


def test_other_files_of_the_repository_are_left_alone(pushed, hub, shell, zoo, tmp_path):
    more = {"run.py": b"import os", "pytorch_model.bin": b"pickle", "notes.txt": b"mine", "more/model.onnx": b"x"}
    hub.repository("me/names", contents(zoo.bundle) | more)
    hub.log.clear()
    assert shell("hub", "pull", "me/names", "-o", tmp_path / "out").returncode == 0
    assert contents(tmp_path / "out") == contents(zoo.bundle)
    fetched = {path.partition("/resolve/")[2].partition("/")[2] for _, path in hub.log if "/resolve/" in path}
    assert fetched == set(contents(zoo.bundle))
    hub.repository("me/names", {"bundle.json": b"{}", "own.old.onnx": b"x", **more})
    assert shell("hub", "push", "-y", zoo.bundle, "me/names", token=WRITER).returncode == 0
    assert set(hub.repositories["me/names"].head) == {".gitattributes", *contents(zoo.bundle), *more}


def test_a_bundle_and_a_package_take_each_others_place_whole(hub, shell, sound, zoo, tmp_path):
    for folder in (sound, zoo.bundle, sound):
        assert shell("hub", "push", "-y", folder, "me/names", token=WRITER).returncode == 0
        assert set(hub.repositories["me/names"].head) == {".gitattributes", *contents(folder)}
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        assert shell("hub", "pull", "me/names", "-o", tmp_path / "out").returncode == 0
        assert contents(tmp_path / "out") == contents(folder)


def test_bundles_go_to_a_folder_of_their_own(pushed, hub, tmp_path):
    variables = hub_environment(hub.endpoint, tmp_path / "home")
    done = call("hub", "pull", "me/names", env=variables, cwd=tmp_path)
    assert done.stdout.startswith(f"{Path('bundles') / 'names'}: pulled and sound"), done.stderr


def test_bundles_are_listed_beside_packages(sound, zoo, tmp_path):
    shutil.copytree(sound, tmp_path / "package")
    (tmp_path / "latest").symlink_to(zoo.bundle)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "bundle.json").write_text("{}")
    (tmp_path / "stuck").mkdir()
    os.mkfifo(tmp_path / "stuck" / "bundle.json")
    rows = json.loads(ask("hub", "list", tmp_path, "--json").stdout)
    assert [(Path(row["folder"]).name, row.get("kind")) for row in rows] == [
        ("broken", None), ("latest", "bundle"), ("package", "lora"), ("stuck", None),
    ]  # fmt: skip
    assert rows[1]["name"] == "latest"
    assert "mood" in rows[1]["tasks"]
    assert "bundle.json" in rows[0]["error"]
    assert rows[3]["error"].endswith("bundle.json: not a plain file")


def test_bundles_on_the_hub_are_found_by_their_card(pushed, shell):
    (row,) = json.loads(shell("hub", "list", "--hub", "--json").stdout)
    assert (row["repo"], row["kind"]) == ("me/names", "bundle")
    assert set(row["families"]) == {"classification", "multiple_choice", "qa", "tagging"}


@pytest.mark.parametrize("asked", ["show", "verify"])
def test_a_mistyped_bundle_is_answered_with_the_nearest_one(asked, zoo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(zoo.bundle, tmp_path / "bundles" / "names")
    done = ask("hub", asked, "bundles/name")
    assert done.stderr == "error: no folder bundles/name here; did you mean bundles/names?\n"
