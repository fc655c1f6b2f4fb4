"""Fetches a package or a bundle from a repository of the Hugging Face Hub, whole and checked or not at all."""

import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from huggingface_hub import hf_hub_download

from lowres_stilts.errors import BundleError, PackageError, RunError
from lowres_stilts.hub.kinds import BUNDLES, Kind, kind_of
from lowres_stilts.hub.manifest import MANIFEST
from lowres_stilts.hub.remote import Remote, check_name, hub_errors, look_up
from lowres_stilts.hub.verify import require_sound
from lowres_stilts.storage import cache_dir, locked, storage_errors, write_folder


@dataclass(frozen=True)
class Pulled:
    """Where a package lies now, and where it came from."""

    folder: Path
    repo: str
    commit: str
    was_there: bool
    """Whether the folder held the same files already."""


def pull_package(repo: str, folder: Path | None = None, revision: str = "main") -> Pulled:
    """Downloads a package or a bundle at one commit, checks it and moves it to `folder`.

    Without one, it goes to `adapters/` or `bundles/`, under the repository's name.

    Raises:
        PackageError: the Hub cannot be asked, the repository holds no sound package, or the folder holds
            something else or cannot be written.
        UsageError: that is no name of a repository.
    """
    remote, kind = _found_at(repo, revision)
    folder = folder or Path(kind.home) / repo.rpartition("/")[2]
    with _held(folder):
        was_there = folder.exists() or folder.is_symlink()
        if was_there:
            _check_same(folder, remote, kind)
        else:
            _remove_leftovers(folder)
            write_folder(folder, lambda temporary: _fetch(remote, kind, temporary))
    return Pulled(folder, repo, remote.commit, was_there)


@contextmanager
def borrowed(repo: str, revision: str = "main", *, only_manifest: bool = False) -> Iterator[Path]:
    """A temporary folder with the package, checked, or with its manifest alone, unchecked.

    Raises:
        PackageError: the Hub cannot be asked, or the repository holds no sound package.
        UsageError: that is no name of a repository.
    """
    remote, kind = _found_at(repo, revision)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if only_manifest:
            _download(remote, [kind.marker], folder)
        else:
            _fetch(remote, kind, folder)
        with _errors_of(remote, folder):
            yield folder


def _found_at(repo: str, revision: str) -> tuple[Remote, Kind]:
    """The repository at a revision, and whether it is a package or a bundle."""
    check_name(repo)
    with hub_errors(repo, revision):
        remote = look_up(repo, revision)
    kind = kind_of(remote.files)
    if kind is None:
        raise PackageError(
            f"{repo}: no {MANIFEST} at revision {revision}, so this is no adapter package of lowres-stilts; "
            f"and no {BUNDLES.marker}, so it is no bundle"
        )
    for name, file in remote.files.items():
        if file.size > kind.largest:
            raise PackageError(f"{repo}: {name} is larger than {kind.largest // 10**6} MB, which no module is")
    return remote, kind


def _check_same(folder: Path, remote: Remote, kind: Kind) -> None:
    if not _holds(folder, remote, kind):
        raise PackageError(
            f"{folder}: exists and is not {_place(remote)}; remove it, or choose another folder with --output"
        )
    require_sound(folder, kind)


def _holds(folder: Path, remote: Remote, kind: Kind) -> bool:
    if folder.is_symlink() or not folder.is_dir():
        return False
    try:
        names = set(kind.files_in(folder))
    except (PackageError, BundleError):
        return False
    return names == set(remote.files) and all(file.equals(folder / name) for name, file in remote.files.items())


def _fetch(remote: Remote, kind: Kind, folder: Path) -> None:
    _download(remote, sorted(remote.files), folder)
    with _errors_of(remote, folder):
        require_sound(folder, kind)


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
    except (PackageError, BundleError) as error:
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
