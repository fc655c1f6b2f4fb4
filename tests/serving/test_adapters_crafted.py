"""What somebody could put into the watched folder to do harm: it is told and left alone, and all goes on."""

import json
import os
import shutil
import socket
import time

import pytest

from lowres_stilts.runtime.sums import write_sums
from tests.flat_adapters import Parameter, written
from tests.serving.service import PATIENCE, service

FILE = "first.onnx_adapter"


@pytest.fixture
def watched(zoo, tmp_path):
    """A service, and the folder that it watches."""
    folder = tmp_path / "adapters"
    folder.mkdir()
    with service(zoo.bundle, adapters=str(folder)) as running:
        yield running, folder
        assert running.process.poll() is None
        assert running.post("/embed", {"inputs": "glad"}).status_code == 200
        assert not [line for line in running.lines() if line["level"] == "error"]


def sound(exported, folder, name):
    """A whole adapter of that name, moved into place at once."""
    made = shutil.copytree(exported, folder.parent / f"{name}.new")
    (made / FILE).rename(made / f"{name}.onnx_adapter")
    described = json.loads((made / "adapter.json").read_text())
    described["adapter"]["name"] = name
    (made / "adapter.json").write_text(json.dumps(described))
    write_sums(made)
    return made.rename(folder / name)


def until(is_so):
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def noise(path):
    (path / FILE).write_bytes(os.urandom(4000))


def sized(size):
    def change(path):
        (path / FILE).write_bytes(written([Parameter("head.projection.bias", [size], bytes(6))]))

    return change


def instead(name, make):
    """Something else in the place of a file."""

    def change(path):
        (path / name).unlink(missing_ok=True)
        make(path / name)

    return change


def linked(to):
    return lambda place: place.symlink_to(to)


def bound(place):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(place))


def long(path):
    described = json.loads((path / "adapter.json").read_text())
    described["adapter"]["max_length"] = 10**9
    (path / "adapter.json").write_text(json.dumps(described))


SUMMED = {
    "noise": noise,
    "giant": sized(2**62),
    "negative": sized(-3),
    "deep": lambda path: (path / "adapter.json").write_text("[" * 200_000),
    "long": long,
}
"""Damage that is in the sums as well."""
UNSUMMED = {
    "half-written": lambda path: os.truncate(path / FILE, (path / FILE).stat().st_size // 2),
    "sparse": lambda path: os.truncate(path / FILE, 10**12),
    "pipe": instead(FILE, os.mkfifo),
    "pipe-for-sums": instead("SHA256SUMS", os.mkfifo),
    "another-pipe": instead("more", os.mkfifo),
    "socket": instead("s", bound),
    "link-to-nothing": instead("more", linked("nothing")),
    "link-to-itself": instead("more", linked("more")),
    "link-without-end": instead(FILE, linked("/dev/zero")),
    "link-to-a-folder": instead("more", linked("/")),
    "link-elsewhere": instead("adapter.json", linked("/etc/passwd")),
    "folder-within": instead("more", os.mkdir),
    "a-name-of-bytes": instead(os.fsdecode(b"\xff\xfe"), lambda place: place.write_bytes(b"x")),
}
CRAFTED = SUMMED | UNSUMMED


def crafted(exported, folder, name):
    """A damaged copy of an adapter under another name, moved into place at once."""
    made = shutil.copytree(exported, folder.parent / f"{name}.new")
    CRAFTED[name](made)
    (made / FILE).rename(made / f"{name}.onnx_adapter")
    if name in SUMMED:
        write_sums(made)
    elif (made / "SHA256SUMS").is_file():
        sums = (made / "SHA256SUMS").read_text()
        (made / "SHA256SUMS").write_text(sums.replace(FILE, f"{name}.onnx_adapter"))
    made.rename(folder / name)


def test_crafted_folders_are_told_and_the_sound_one_beside_them_is_loaded(watched, exported, zoo):
    running, folder = watched
    before = running.memory()
    for name in CRAFTED:
        crafted(exported, folder, name)
    sound(exported, folder, "sound")
    until(lambda: running.post("/predict", {"inputs": "glad", "adapter": "sound"}).status_code == 200)
    until(lambda: set(CRAFTED) == {own["adapter"] for own in told(running)})
    assert len(told(running)) == len(CRAFTED), "each is told once, not at every look"
    assert all(len(own["reason"]) < 1500 for own in told(running))
    listed = {one["id"] for one in running.get("/v1/models").json()["data"]}
    assert listed == {"bundle", "sound", *zoo.packages}
    assert running.memory() - before < 100e6


def told(running):
    return [line for line in running.lines() if line["event"] == "an adapter cannot be loaded"]


def test_links_to_the_right_files_are_as_good_as_files(watched, exported):
    """As the Hub's cache has them: a snapshot's files are links to blobs beside it."""
    running, folder = watched
    made = sound(exported, folder.parent, "linked")
    blobs = folder.parent / "blobs"
    blobs.mkdir()
    for number, file in enumerate(sorted(made.iterdir())):
        file.rename(blobs / str(number))
        file.symlink_to(blobs / str(number))
    made.rename(folder / "linked")
    until(lambda: running.post("/predict", {"inputs": "glad", "adapter": "linked"}).status_code == 200)


def test_a_folder_that_is_written_slowly_is_taken_when_it_is_whole(watched, exported):
    running, folder = watched
    made = sound(exported, folder.parent, "slow")
    place = folder / "slow"
    place.mkdir()
    for file in ("slow.onnx_adapter", "adapter.json", "SHA256SUMS"):
        data = (made / file).read_bytes()
        with (place / file).open("wb", buffering=0) as out:
            for start in range(0, len(data), 1 + len(data) // 4):
                out.write(data[start : start + 1 + len(data) // 4])
                time.sleep(0.1)
    until(lambda: running.post("/predict", {"inputs": "glad", "adapter": "slow"}).status_code == 200)
