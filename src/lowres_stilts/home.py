"""Folders of the user that a program expects, and a private one where they are missing or cannot be written."""

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from lowres_stilts.errors import RunError

REMEDY = "set TMPDIR to a folder with room that can be written"


def home() -> Path | None:
    """The user's home; None where no variable and no entry names one, or it is not there."""
    try:
        found = Path.home()
    except RuntimeError:  # no HOME, and a uid without a name
        return None
    return found if found.is_dir() else None


def is_writable(path: Path) -> bool:
    """Whether a folder can be written, or made where it is not there."""
    there = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def temporary_root() -> Path:
    """The system's folder for temporary files.

    Raises:
        RunError: none can be written.
    """
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        raise RunError(f"no folder for temporary files can be written; {REMEDY}") from error


def private_folder() -> Path:
    """A folder for temporary files that only this user can read or write; the same one every time.

    Raises:
        RunError: it cannot be made, or belongs to somebody else.
    """
    user = os.getuid() if hasattr(os, "getuid") else "user"
    folder = temporary_root() / f"lowres-stilts-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise RunError(f"cannot write {folder}: {error.strerror}; set HOME, or LOWRES_STILTS_CACHE") from error
    shared = os.name == "posix" and (status.st_uid != user or status.st_mode & 0o077)
    if shared or not stat.S_ISDIR(status.st_mode):
        raise RunError(f"{folder}: others can write there; remove it, or set HOME or LOWRES_STILTS_CACHE")
    return folder


def settle() -> None:
    """Gives other libraries folders that can be written, before they are imported and look for theirs.

    Where there is no home, all of them find a private one; where it cannot be written, those do that keep
    something there. What the environment names already stays, and so does all where no folder can be written at
    all: the error comes when one is needed.
    """
    with contextlib.suppress(RunError):
        _settle(home())


def _settle(own: Path | None) -> None:
    if own is None:
        os.environ["HOME"] = str(private_folder())
        return
    caches = Path(os.environ.get("XDG_CACHE_HOME") or own / ".cache")
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or own / ".config")
    usual = {
        "HF_HOME": caches / "huggingface",
        "MPLCONFIGDIR": settings / "matplotlib",
        "TRITON_HOME": own / ".triton",
    }
    for variable, folder in usual.items():
        if variable not in os.environ and not is_writable(folder):
            # Downloaded models that lie there can still be read.
            if variable == "HF_HOME" and folder.is_dir():
                continue
            os.environ[variable] = str(private_folder() / folder.name.lstrip("."))
