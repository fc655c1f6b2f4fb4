"""Files on disk: written whole or not at all, cached by content, locked by one process."""

import contextlib
import json
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lowres_stilts.errors import LowresStiltsError, RunError, UsageError
from lowres_stilts.home import REMEDY, home, is_writable, private_folder, temporary_root
from lowres_stilts.names import misplaced, readable, require_utf8

USERS = "in-use"
"""The folder in the cache with a lock for each process that works with what is there."""


def cache_dir() -> Path:
    """The user's cache folder: `LOWRES_STILTS_CACHE`, else `lowres-stilts` where the system keeps such things.

    Where there is no home, or its caches cannot be written, it is a private folder among the temporary ones.

    Raises:
        RunError: there is none that could be written.
        UsageError: its path is not UTF-8.
    """
    if explicit := os.environ.get("LOWRES_STILTS_CACHE"):
        require_utf8(explicit, "set LOWRES_STILTS_CACHE to another folder")
        return Path(explicit)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "lowres-stilts"
    own = home()
    usual = None if own is None else _system_caches(sys.platform, own) / "lowres-stilts"
    if usual is None or not is_writable(usual):
        return private_folder() / "cache"
    require_utf8(usual, "set LOWRES_STILTS_CACHE to another folder")
    return usual


def _system_caches(platform: str, own: Path) -> Path:
    if platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or own / "AppData" / "Local")
    return own / "Library" / "Caches" if platform == "darwin" else own / ".cache"


def require_new(output: Path) -> None:
    """Refuses a place that is taken, or where no library could write.

    Raises:
        UsageError: something is there, or the path is not UTF-8.
    """
    require_utf8(output)
    if output.is_file():
        raise UsageError(f"{output} is a file; a folder is wanted, one that is not there yet")
    if output.exists():
        raise UsageError(f"{output} is there already; choose another folder or remove it")


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns a full disk or an unwritable folder into a `RunError` that names the path."""
    try:
        yield
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        wrong = f"{path} is a file; a folder is wanted" if path.is_file() else misplaced(path)
        hint = ": set LOWRES_STILTS_CACHE to one" if _is_cached(path) else ""
        raise RunError(f"{wrong}{hint}" if wrong else _unwritable(path, error)) from error
    except OSError as error:
        raise RunError(_unwritable(path, error)) from error


def _unwritable(path: Path, error: OSError) -> str:
    return f"cannot write {readable(path)}: {error.strerror or error}; {_remedy(path)}"


def _is_cached(path: Path) -> bool:
    with contextlib.suppress(RunError, UsageError):
        return path.is_relative_to(cache_dir())
    return False


def _remedy(path: Path) -> str:
    if _is_cached(path):
        return "free some space, or set LOWRES_STILTS_CACHE to a folder that can be written"
    return (
        "free some space or choose another folder with -o; what was written before is intact, and a run goes on "
        "with --resume"
    )


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder among the temporary ones, which is removed at the end.

    Raises:
        RunError: there is none, or what is done meanwhile fills its disk.
        UsageError: its path is not UTF-8.
    """
    root = temporary_root()
    require_utf8(root, "set TMPDIR to another folder")
    try:
        with tempfile.TemporaryDirectory(prefix="lowres-stilts-") as scratch:
            yield Path(scratch)
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(f"cannot write {root}: {reason}; free some space there, or {REMEDY}") from error


def write_file(path: Path, write: Callable[[Path], object]) -> None:
    """Lets `write` fill a temporary sibling, then renames it to `path` in one step.

    Raises:
        RunError: the disk is full or the folder cannot be written; `path` keeps its former content.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            write(temporary)
            with temporary.open("r+b") as handle:  # Windows flushes only what is open for writing
                os.fsync(handle.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text atomically."""
    write_file(path, lambda temporary: temporary.write_bytes(text.encode()))


def write_json(path: Path, value: Any) -> None:
    """Writes indented JSON atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_folder(path: Path, fill: Callable[[Path], object]) -> Path:
    """Lets `fill` write into a temporary sibling folder that then becomes `path`, once.

    A folder that another process completed meanwhile is kept and the work thrown away.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
        try:
            temporary.chmod(0o755)
            fill(temporary)
            try:
                temporary.rename(path)
            except OSError:
                if not path.exists():
                    raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return path


def remove_leftovers(folder: Path) -> None:
    """Removes what a killed process left half-written below `folder`."""
    for leftover in list(folder.rglob(".*.tmp")):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Holds `folder` for this process; the lock of a process that died is free.

    Args:
        folder: made where it is not there.
        wait: until another process that holds it is done.

    Raises:
        RunError: another living process holds it and `wait` is not set, or the folder cannot be written.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=-1 if wait else 0)
        try:
            lock.acquire()
        except Timeout:
            raise RunError(f"{folder} is in use by another process; wait for it or stop it") from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def using_cache() -> Iterator[None]:
    """Keeps `lowres-stilts cache clean` from removing what this process works with; also a decorator.

    Nobody can clean a cache that cannot be written, so there nothing is held.
    """
    with contextlib.ExitStack() as held:
        with contextlib.suppress(LowresStiltsError, OSError):
            users = cache_dir() / USERS
            marker = users / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
            with locked(users, wait=True):
                held.callback(marker.unlink, missing_ok=True)
                held.enter_context(FileLock(marker))
        yield


@contextlib.contextmanager
def alone_with_cache() -> Iterator[Path]:
    """The cache folder, while no process works with what is in it; those that begin wait.

    Raises:
        RunError: a process does, or the folder cannot be written.
    """
    root = cache_dir()
    with locked(root / USERS):
        for marker in root.glob(f"{USERS}/[0-9]*"):
            try:
                with FileLock(marker, timeout=0):
                    marker.unlink(missing_ok=True)  # of a process that died
            except Timeout:
                number = marker.name.partition("-")[0]
                raise RunError(f"{root}: in use by process {number}; wait for it or stop it") from None
        yield root
