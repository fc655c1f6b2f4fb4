"""Fetches a package from a repository of the Hugging Face Hub, whole and checked or not at all."""

import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from huggingface_hub import hf_hub_download

from lowres_stilts.errors import PackageError, RunError
from lowres_stilts.hub.checksums import LARGEST, files_in
from lowres_stilts.hub.manifest import MANIFEST
from lowres_stilts.hub.remote import Remote, check_name, hub_errors, look_up
from lowres_stilts.hub.verify import open_package
from lowres_stilts.storage import cache_dir, locked, storage_errors, write_folder


@dataclass(frozen=True)
class Pulled:
    """Where a package lies now, and where it came from."""

    folder: Path
    repo: str
    commit: str
    was_there: bool
    """Whether the folder held the same files already."""


def pull_package(repo: str, folder: Path, revision: str = "main") -> Pulled:
    """Downloads the files that a package may have, at one commit, checks them and moves them to `folder`.

    Raises:
        PackageError: the Hub cannot be asked, the repository holds no sound package, or the folder holds
            something else or cannot be written.
        UsageError: that is no name of a repository.
    """
    remote = _package_at(repo, revision)
    with _held(folder):
        was_there = folder.exists() or folder.is_symlink()
        if was_there:
            _check_same(folder, remote)
        else:
            _remove_leftovers(folder)
            write_folder(folder, lambda temporary: _fetch(remote, temporary))
    return Pulled(folder, repo, remote.commit, was_there)


@contextmanager
def borrowed(repo: str, revision: str = "main", *, only_manifest: bool = False) -> Iterator[Path]:
    """A temporary folder with the package, checked, or with its manifest alone, unchecked.

    Raises:
        PackageError: the Hub cannot be asked, or the repository holds no sound package.
        UsageError: that is no name of a repository.
    """
    remote = _package_at(repo, revision)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if only_manifest:
            _download(remote, [MANIFEST], folder)
        else:
            _fetch(remote, folder)
        with _errors_of(remote, folder):
            yield folder


def _package_at(repo: str, revision: str) -> Remote:
    """The repository at a revision, if it may be a package."""
    check_name(repo)
    with hub_errors(repo, revision):
        remote = look_up(repo, revision)
    if MANIFEST not in remote.files:
        raise PackageError(
            f"{repo}: no {MANIFEST} at revision {revision}, so this is no adapter package of lowres-stilts"
        )
    for name, file in remote.files.items():
        if file.size > LARGEST:
            raise PackageError(f"{repo}: {name} is larger than {LARGEST // 10**6} MB, which no module is")
    return remote


def _check_same(folder: Path, remote: Remote) -> None:
    if not _holds(folder, remote):
        raise PackageError(
            f"{folder}: exists and is not {_place(remote)}; remove it, or choose another folder with --output"
        )
    open_package(folder)


def _holds(folder: Path, remote: Remote) -> bool:
    if folder.is_symlink() or not folder.is_dir():
        return False
    try:
        names = set(files_in(folder))
    except PackageError:
        return False
    return names == set(remote.files) and all(file.equals(folder / name) for name, file in remote.files.items())


def _fetch(remote: Remote, folder: Path) -> None:
    _download(remote, sorted(remote.files), folder)
    with _errors_of(remote, folder):
        open_package(folder)


def _download(remote: Remote, names: list[str], folder: Path) -> None:
    with hub_errors(remote.repo, remote.commit):
        for name in names:
            hf_hub_download(remote.repo, name, revision=remote.commit, local_dir=folder)
    # What the library notes about its downloads.
    shutil.rmtree(folder / ".cache")


@contextmanager
def _errors_of(remote: Remote, folder: Path) -> Iterator[None]:
    """Names the repository in the place of a folder that will not be there when the message is read."""
    try:
        yield
    except PackageError as error:
        text = str(error).replace(f"{folder}/", f"{_place(remote)}: ").replace(str(folder), _place(remote))
        raise PackageError(text) from error


def _place(remote: Remote) -> str:
    return f"{remote.repo} at {remote.commit[:12]}"


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Keeps others from pulling to the same place, and says what is wrong with the place."""
    place = hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:16]
    try:
        with locked(cache_dir() / "pulls" / place), storage_errors(folder):
            yield
    except RunError as error:
        if not isinstance(error.__cause__, OSError):
            raise PackageError(f"{folder}: is being pulled by another process; wait for it or stop it") from error
        raise PackageError(
            f"{folder}: cannot be written: {error.__cause__}; make room, or choose another folder with --output"
        ) from error


def _remove_leftovers(folder: Path) -> None:
    """Removes what pulls that were killed left beside the folder."""
    name = re.compile(rf"\.{re.escape(folder.name)}\.[a-z0-9_]{{8}}\.tmp")
    if folder.parent.is_dir():
        for path in folder.parent.iterdir():
            if name.fullmatch(path.name):
                shutil.rmtree(path, ignore_errors=True)
