"""Packages as the Hub's own tools leave them."""

import os
from pathlib import Path

import pytest

from lowres_stilts.errors import PackageError
from lowres_stilts.hub.verify import open_package
from tests.commands import ask


def snapshot(package):
    """Every file a link to a blob, as in the Hub's cache."""
    blobs = package.parent / "blobs"
    blobs.mkdir()
    for number, path in enumerate(sorted(path for path in package.rglob("*") if path.is_file())):
        path.rename(blobs / str(number))
        path.symlink_to(Path(os.path.relpath(blobs / str(number), path.parent)))
    return package


def test_a_downloaded_folder_is_the_package(package, sound):
    (package / ".gitattributes").write_text("*.safetensors filter=lfs\n")
    (package / ".cache" / "huggingface" / "download").mkdir(parents=True)
    (package / ".cache" / "huggingface" / ".gitignore").write_text("*")
    assert open_package(package).manifest == open_package(sound).manifest


def test_a_snapshot_of_links_and_a_link_to_it_verify(package, sound, tmp_path):
    snapshot(package)
    (tmp_path / "latest").symlink_to(package)
    for folder in (package, tmp_path / "latest"):
        assert open_package(folder).manifest == open_package(sound).manifest
        done = ask("hub", "verify", folder)
        assert (done.returncode, "sound" in done.stdout) == (0, True), done.stderr


def test_sums_still_protect_a_snapshot(package):
    blob = (snapshot(package) / "stilts.json").resolve()
    blob.write_bytes(blob.read_bytes() + b"\n")
    with pytest.raises(PackageError, match=r"stilts\.json: changed since it was summed"):
        open_package(package)


@pytest.mark.parametrize("name", [".cache/more/x", ".gitignore", ".github", ".cache/huggingface"])
def test_what_only_looks_like_it_is_refused(package, name):
    (package / name).parent.mkdir(exist_ok=True, parents=True)
    if name == ".cache/huggingface":
        (package / ".cache").rmdir()
        (package / ".cache").symlink_to("/etc")
    else:
        (package / name).write_text("x")
    with pytest.raises(PackageError, match=r"plain files only|not listed in SHA256SUMS"):
        open_package(package)
