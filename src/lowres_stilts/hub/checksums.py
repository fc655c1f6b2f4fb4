"""`SHA256SUMS`: every file of a package, and nothing else, byte for byte."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from lowres_stilts.errors import PackageError

SUMS = "SHA256SUMS"
LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9][A-Za-z0-9._-]*)")
ALLOWED = {
    "adapter_config.json",
    "adapter_model.safetensors",
    "head.safetensors",
    "stilts.json",
    "README.md",
}
"""Files that a package may have beside its sums; none of them unpickles."""
LARGEST = 256_000_000
"""Bytes of a file; a module is a few megabytes."""


def write_sums(folder: Path) -> None:
    """Writes the sums of all files of a folder."""
    sums = {path.name: sha256_of(path) for path in folder.iterdir() if path.name != SUMS}
    (folder / SUMS).write_text(_rendered(sums), encoding="utf-8")


def verify_sums(folder: Path) -> None:
    """Whether the files are those that were summed, and no others.

    Raises:
        PackageError: a file is missing, changed, too large, unknown, or no plain file of the folder.
    """
    expected = _read_sums(folder)
    found = {path.name: path for path in sorted(folder.iterdir())}
    for name, path in found.items():
        if path.is_symlink() or not path.is_file():
            raise PackageError(f"{path}: a package has plain files only; remove it")
        if name != SUMS and name not in expected:
            raise PackageError(f"{path}: not listed in {SUMS}; remove it or get the package anew")
        if path.stat().st_size > LARGEST:
            raise PackageError(f"{path}: larger than {LARGEST // 10**6} MB, which no module is")
    for name, digest in expected.items():
        if name not in found:
            raise PackageError(f"{folder / name}: missing; get the package anew")
        if sha256_of(found[name]) != digest:
            raise PackageError(f"{folder / name}: changed since it was summed; get the package anew")


def _read_sums(folder: Path) -> dict[str, str]:
    path = folder / SUMS
    try:
        if path.is_symlink() or path.stat().st_size > 10_000:
            raise PackageError(f"{path}: not a plain list of sums")
        text = path.read_bytes().decode("ascii")
    except FileNotFoundError:
        raise PackageError(f"{folder}: no {SUMS}, so this is no adapter package") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PackageError(f"{path}: cannot be read") from error
    sums: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        match = LINE.fullmatch(line)
        if match is None or match[2] not in ALLOWED or match[2] in sums:
            raise PackageError(f"{path}:{number}: expected a SHA-256, two spaces and a file of a package")
        sums[match[2]] = match[1]
    if missing := ALLOWED - {"head.safetensors"} - set(sums):
        raise PackageError(f"{path}: does not list {', '.join(sorted(missing))}")
    if text != _rendered(sums):
        raise PackageError(f"{path}: not as it was written; get the package anew")
    return sums


def _rendered(sums: Mapping[str, str]) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
