"""Bundles on the Hub: the real client against a server on this machine."""

import shutil

import pytest

from lowres_stilts.runtime import Bundle
from tests.hub.test_remote import refused
from tests.hub_repo_server import WRITER


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def pushed(hub, shell, zoo):
    done = shell("hub", "push", zoo.bundle, "me/names", token=WRITER)
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
    assert "nothing to send" in shell("hub", "push", zoo.bundle, "me/names", token=WRITER).stdout


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
    refused(shell("hub", "push", folder, "me/names", token=WRITER), "weights.bin: changed since it was summed")
    assert "me/names" not in hub.repositories
    hub.repository("me/names", contents(folder))
    refused(shell("hub", "pull", "me/names", "-o", tmp_path / "out" / "names"), "me/names at", "weights.bin")
    assert list((tmp_path / "out").iterdir()) == []


def test_the_card_says_what_is_inside(zoo):
    card = (zoo.bundle / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: lowres-stilts\n")
    assert 'adapter="first' in card
    assert all(f"| {name} |" in card for name in zoo.packages)
