"""A folder as tools of the Hub leave it: by download, in the cache, by `git clone`, and by older versions."""

import hashlib
import os
import shutil
from pathlib import Path

ATTRIBUTES = "*.safetensors filter=lfs diff=lfs merge=lfs -text\n"
METADATA = f"{'0' * 40}\n{'1' * 40}\n1764201600.0\n"


def local(folder: Path, to: Path) -> Path:
    """As `hf download REPO --local-dir` leaves it."""
    shutil.copytree(folder, to)
    (to / ".gitattributes").write_text(ATTRIBUTES)
    notes = to / ".cache" / "huggingface"
    (notes / "download").mkdir(parents=True)
    (notes / ".gitignore").write_text("*")
    for name in (".gitattributes", "README.md"):
        (notes / "download" / f"{name}.metadata").write_text(METADATA)
        (notes / "download" / f"{name}.lock").touch()
    return to


def snapshot(folder: Path, to: Path) -> Path:
    """As `snapshot_download` leaves it in the cache: every file is a link to where its content is."""
    place = to / "snapshots" / ("a" * 40)
    place.mkdir(parents=True)
    (place / ".gitattributes").write_text(ATTRIBUTES)
    for path in files(folder):
        _linked(path, place / path.relative_to(folder), to / "blobs")
    return place


def clone(folder: Path, to: Path) -> Path:
    """As `git clone` leaves it."""
    shutil.copytree(folder, to)
    (to / ".gitattributes").write_text(ATTRIBUTES)
    (to / ".git" / "objects").mkdir(parents=True)
    (to / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    return to


def older(folder: Path, to: Path) -> Path:
    """As `--local-dir` of former versions left it: large files are links into the cache, small ones are not."""
    for path in files(folder):
        place = to / path.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in {".bin", ".safetensors"}:
            _linked(path, place, to.parent / f"{to.name}-cache" / "blobs")
        else:
            shutil.copy(path, place)
    (to / ".huggingface" / "download").mkdir(parents=True)
    (to / ".huggingface" / ".gitignore").write_text("*")
    return to


def link(folder: Path, to: Path) -> Path:
    """A link to the folder."""
    to.symlink_to(folder)
    return to


def link_to_snapshot(folder: Path, to: Path) -> Path:
    """A link to a snapshot of the cache."""
    return link(snapshot(folder, to.with_name(f"{to.name}-cache")), to)


WAYS = [local, snapshot, clone, older, link, link_to_snapshot]


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _linked(path: Path, place: Path, blobs: Path) -> None:
    blobs.mkdir(parents=True, exist_ok=True)
    blob = blobs / hashlib.sha256(path.read_bytes()).hexdigest()
    shutil.copy(path, blob)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(os.path.relpath(blob, place.parent))
