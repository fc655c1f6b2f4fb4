"""Fetches a package or a bundle from a repository of the Hugging Face Hub, whole and checked or not at all."""

import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from huggingface_hub import hf_hub_download

from lowres_stilts.errors import BundleError, LowresStiltsError, PackageError, RunError
from lowres_stilts.hub.kinds import BUNDLES, PACKAGES, Kind, kind_among
from lowres_stilts.hub.remote import Remote, check_name, hub_errors, look_up
from lowres_stilts.names import require_folder
from lowres_stilts.storage import cache_dir, locked, storage_errors, write_folder
from lowres_stilts.sums import SUMS


@dataclass(frozen=True)
class Pulled:
    """Where a package or bundle lies now, and where it came from."""

    folder: Path
    repo: str
    commit: str
    was_there: bool
    """Whether the folder held the same files already."""


def pull_package(repo: str, output: Path | None = None, revision: str = "main") -> Pulled:
    """Downloads the files of a package or a bundle, at one commit, checks them and moves them to a folder.

    Args:
        repo: the repository.
        output: the folder; by default that of its name below `adapters`, of a bundle below `bundles`.
        revision: a branch, tag or commit.

    Raises:
        BundleError: the repository holds no sound bundle.
        PackageError: the Hub cannot be asked, the repository holds no sound package, or the folder holds
            something else or cannot be written.
        UsageError: that is no name of a repository.
    """
    kind, remote = _content_at(repo, revision)
    folder = output or Path(kind.home) / repo.rpartition("/")[2]
    with _held(folder):
        was_there = folder.exists() or folder.is_symlink()
        if folder.is_file():
            require_folder(folder, PackageError)
        if was_there:
            _check_same(folder, kind, remote)
        else:
            _remove_leftovers(folder)
            write_folder(folder, lambda temporary: _fetch(kind, remote, temporary))
    return Pulled(folder, repo, remote.commit, was_there)


@contextmanager
def borrowed(repo: str, revision: str = "main", *, only_manifest: bool = False) -> Iterator[Path]:
    """A temporary folder with the package or bundle, checked, or with its manifest alone, unchecked.

    Raises:
        BundleError: the repository holds no sound bundle.
        PackageError: the Hub cannot be asked, or the repository holds no sound package.
        UsageError: that is no name of a repository.
    """
    kind, remote = _content_at(repo, revision)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if only_manifest:
            _download(remote, [kind.manifest], folder)
        else:
            _fetch(kind, remote, folder)
        with _errors_of(remote, folder):
            yield folder


def _content_at(repo: str, revision: str) -> tuple[Kind, Remote]:
    """What kind the repository holds at a revision, and the files of it that this kind may have."""
    check_name(repo)
    with hub_errors(repo, revision):
        remote = look_up(repo, revision)
    kind = kind_among(remote.files)
    if kind is None:
        raise PackageError(
            f"{repo}: no {PACKAGES.manifest} at revision {revision}, so this is no adapter package of "
            f"lowres-stilts, and no {BUNDLES.manifest}, so it is no bundle"
        )
    files = {name: file for name, file in remote.files.items() if kind.sums.can_list(name)}
    for name, file in files.items():
        if file.size > kind.sums.largest:
            raise PackageError(
                f"{repo}: {name} is larger than {kind.sums.largest // 10**6} MB, which no file of a "
                f"{kind.sums.noun} is"
            )
    return kind, replace(remote, files=files)


def _check_same(folder: Path, kind: Kind, remote: Remote) -> None:
    if not _holds(folder, kind, remote):
        raise PackageError(
            f"{folder}: exists and is not {_place(remote)}; remove it, or choose another folder with --output"
        )
    kind.check(folder)


def _holds(folder: Path, kind: Kind, remote: Remote) -> bool:
    try:
        names = {*kind.sums.verify(folder), SUMS}
    except LowresStiltsError:
        return False
    return names == set(remote.files) and all(file.equals(folder / name) for name, file in remote.files.items())


def _fetch(kind: Kind, remote: Remote, folder: Path) -> None:
    _download(remote, sorted(remote.files), folder)
    with _errors_of(remote, folder):
        kind.check(folder)


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
    except (BundleError, PackageError) as error:
        text = str(error).replace(f"{folder}/", f"{_place(remote)}: ").replace(str(folder), _place(remote))
        raise type(error)(text) from error


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
        if isinstance(error.__cause__, FileExistsError | NotADirectoryError):
            raise PackageError(str(error)) from error
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
