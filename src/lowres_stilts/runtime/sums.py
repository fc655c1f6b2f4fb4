"""`SHA256SUMS`: every file of a folder, and nothing else, byte for byte."""

import hashlib
import re
from pathlib import Path

from lowres_stilts.errors import BundleError

SUMS = "SHA256SUMS"
LINE = re.compile(r"([0-9a-f]{64})  ((?:[A-Za-z0-9][A-Za-z0-9._+-]*/)?[A-Za-z0-9][A-Za-z0-9._+-]*)")
LARGEST_LIST = 1_000_000
"""Bytes of the list."""


def write_sums(folder: Path) -> None:
    """Writes the sums of all files of a folder and its folders."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    lines = [f"{sha256_of(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def read_sums(folder: Path) -> dict[str, str]:
    """The listed sums by file.

    Raises:
        BundleError: there is no list, or it is malformed.
    """
    path = folder / SUMS
    try:
        if path.is_symlink() or path.stat().st_size > LARGEST_LIST:
            raise BundleError(f"{path}: not a plain list of sums")
        text = path.read_bytes().decode("ascii")
    except FileNotFoundError:
        raise BundleError(f"{folder}: no {SUMS}, so this is no bundle") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"{path}: cannot be read") from error
    sums: dict[str, str] = {}
    *lines, rest = text.split("\n")
    if rest:
        raise BundleError(f"{path}: cut off: its last line has no end")
    for number, line in enumerate(lines, start=1):
        match = LINE.fullmatch(line)
        if match is None or match[2] in sums:
            raise BundleError(f"{path}:{number}: expected a SHA-256, two spaces and a file")
        sums[match[2]] = match[1]
    return sums


def verify_sums(folder: Path) -> None:
    """Whether the files are those that were summed, and no others.

    Raises:
        BundleError: a file is missing, changed, unknown, or no plain file.
    """
    expected = read_sums(folder)
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    for name, path in found.items():
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise BundleError(f"{path}: a bundle has plain files only; remove it")
        if path.is_file() and name not in expected and name != SUMS:
            raise BundleError(f"{path}: not listed in {SUMS}; remove it or get the bundle anew")
    for name, digest in expected.items():
        if name not in found or not found[name].is_file():
            raise BundleError(f"{folder / name}: missing; get the bundle anew")
        if _sha256_read(found[name]) != digest:
            raise BundleError(f"{folder / name}: changed since it was summed; get the bundle anew")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _sha256_read(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}") from error
