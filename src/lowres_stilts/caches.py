"""What lies in the cache: how much of what, and how it is removed."""

import contextlib
import os
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from lowres_stilts.errors import RunError
from lowres_stilts.home import home
from lowres_stilts.names import require_folder
from lowres_stilts.storage import alone_with_cache, cache_dir, storage_errors


@dataclass(frozen=True)
class Content:
    """One kind of what is kept."""

    about: str
    patterns: tuple[str, ...]
    """Of paths below the cache folder."""


OURS = {
    "starter-model": Content(
        "the starter as an ordinary model, and its first layers as models", ("starter-multilingual-minilm-*",)
    ),
    "starter-data": Content("the starter's tasks as files", ("starter-data-*",)),
    "features": Content("examples as token ids, by task, tokenizer and length", ("features/[!.]*",)),
    "packages": Content("packages of the Hub that runs began with", ("packages/[!.]*",)),
    "leftovers": Content(
        "locks that nobody holds, and what killed processes left",
        (".*.tmp", "features/.*.tmp", "packages/.*.tmp", "locks/*", "pulls/*"),
    ),
}
"""What can be removed: it is made again when it is needed."""


@dataclass(frozen=True)
class Part:
    """What there is of one kind."""

    kind: str
    about: str
    paths: tuple[Path, ...]
    bytes: int


def own_parts(kinds: Collection[str] = tuple(OURS)) -> list[Part]:
    """What is in the cache, by kind; kinds of which there is nothing, too.

    Raises:
        RunError: there is no cache that could be read.
    """
    root = cache_dir()
    if root.exists():
        require_folder(root, RunError)
    return [_part(kind, OURS[kind].about, _found(root, OURS[kind].patterns)) for kind in kinds]


def hub_parts() -> list[Part]:
    """What the libraries of the Hugging Face Hub keep, for other programs too; `hf cache` removes it."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or (home() or Path()) / ".cache")
    root = Path(os.environ.get("HF_HOME") or caches / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or root / "hub")
    datasets = Path(os.environ.get("HF_DATASETS_CACHE") or root / "datasets")
    return [
        _part("hub", "models and data sets as the Hub has them; `hf cache` removes them", [hub]),
        _part("hub-datasets", "tables that the library datasets made of them", [datasets]),
    ]


def clean(kinds: Collection[str]) -> list[Part]:
    """Removes all of these kinds and returns what was removed; what a process holds a lock of stays.

    Raises:
        RunError: a running process works with the cache, or something cannot be removed.
    """
    if not cache_dir().is_dir():
        return []
    with alone_with_cache() as root, storage_errors(root):
        parts = own_parts(kinds)
        return [
            _part(part.kind, part.about, [path for path in part.paths if _removed(path)], part.bytes)
            for part in parts
        ]


def _found(root: Path, patterns: Sequence[str]) -> list[Path]:
    return sorted(path for pattern in patterns for path in root.glob(pattern))


def _part(kind: str, about: str, paths: Sequence[Path], size: int | None = None) -> Part:
    there = tuple(path for path in paths if size is not None or path.exists())
    return Part(kind, about, there, sum(map(_size, there)) if size is None else size)


def _size(path: Path) -> int:
    """Bytes of a file or of all files below a folder; links are not followed."""
    total = 0
    for each in [path] if path.is_file() else path.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # removed meanwhile
            total += 0 if each.is_dir() and not each.is_symlink() else each.lstat().st_size
    return total


def _removed(path: Path) -> bool:
    """Removes one piece, unless a process holds its lock."""
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return True
    try:
        with FileLock(path / ".lock", timeout=0) if (path / ".lock").exists() else contextlib.nullcontext():
            shutil.rmtree(path)
    except Timeout:
        return False
    return True
