"""`SHA256SUMS`: every file of a package, and nothing else, byte for byte."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from lowres_stilts.errors import PackageError

SUMS = "SHA256SUMS"
NAME = "[A-Za-z0-9][A-Za-z0-9_-]*"
INNER = re.compile(rf"(?:below|languages)(?:/{NAME})?")
"""Folders that a package may have inside."""
FILE = re.compile(
    r"stilts\.json|README\.md|head\.safetensors"
    r"|adapter_config\.json|adapter_model\.safetensors|adapter\.safetensors"
    r"|head_config\.json|model_head\.safetensors"
    r"|adapter_fusion_config\.json|model_adapter_fusion\.safetensors"
    rf"|(?:below|languages)/{NAME}/(?:adapter_config\.json|adapter\.safetensors)"
)
"""Files that packages may have beside their sums; none of them unpickles."""
LINE = re.compile(rf"([0-9a-f]{{64}})  ({FILE.pattern})")
LARGEST = 512_000_000
"""Bytes of a file; a module is a few megabytes, but an AdapterFusion over a large encoder is hundreds."""
LONGEST = 100_000
"""Bytes of the sums."""


def can_belong(name: str) -> bool:
    """Whether some package has a file of this name, its sums among them."""
    return name == SUMS or FILE.fullmatch(name) is not None


def files_in(folder: Path) -> dict[str, Path]:
    """The files of a package by name, which for those in inner folders is like `below/name/file`.

    Raises:
        PackageError: something is no plain file, or lies in a folder that no package has.
    """
    return dict(_walk(folder, ""))


def _walk(folder: Path, within: str) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.iterdir()):
        name = f"{within}{path.name}"
        if path.is_symlink() or not (path.is_file() or _is_inner(path, name)):
            raise PackageError(f"{path}: a package has plain files only; remove it")
        if path.is_dir():
            yield from _walk(path, f"{name}/")
        else:
            yield name, path


def _is_inner(path: Path, name: str) -> bool:
    return path.is_dir() and INNER.fullmatch(name) is not None and any(path.iterdir())


def write_sums(folder: Path) -> None:
    """Writes the sums of all files of a folder."""
    sums = {name: sha256_of(path) for name, path in files_in(folder).items() if name != SUMS}
    (folder / SUMS).write_text(_rendered(sums), encoding="utf-8")


def verify_sums(folder: Path) -> set[str]:
    """The files of a package without its sums, if they are those that were summed, and no others.

    Raises:
        PackageError: a file is missing, changed, too large, unknown, or no plain file of the folder.
    """
    expected = _read_sums(folder)
    found = files_in(folder)
    for name, path in found.items():
        if name != SUMS and name not in expected:
            raise PackageError(f"{path}: not listed in {SUMS}; remove it or get the package anew")
        if path.stat().st_size > LARGEST:
            raise PackageError(f"{path}: larger than {LARGEST // 10**6} MB, which no module is")
    for name, digest in expected.items():
        if name not in found:
            raise PackageError(f"{folder / name}: missing; get the package anew")
        if sha256_of(found[name]) != digest:
            raise PackageError(f"{folder / name}: changed since it was summed; get the package anew")
    return set(expected)


def _read_sums(folder: Path) -> dict[str, str]:
    path = folder / SUMS
    try:
        if path.is_symlink() or path.stat().st_size > LONGEST:
            raise PackageError(f"{path}: not a plain list of sums")
        text = path.read_bytes().decode("ascii")
    except FileNotFoundError:
        raise PackageError(f"{folder}: no {SUMS}, so this is no adapter package") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PackageError(f"{path}: cannot be read") from error
    sums: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        match = LINE.fullmatch(line)
        if match is None or match[2] in sums:
            raise PackageError(f"{path}:{number}: expected a SHA-256, two spaces and a file of a package")
        sums[match[2]] = match[1]
    if text != _rendered(sums):
        raise PackageError(f"{path}: not as it was written; get the package anew")
    return sums


def _rendered(sums: Mapping[str, str]) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
