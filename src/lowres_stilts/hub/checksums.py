"""`SHA256SUMS`: every file of a package, and nothing else, byte for byte."""

import re
from pathlib import Path

from lowres_stilts.errors import PackageError
from lowres_stilts.sums import SUMS, Sums, rendered, sha256_of

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
PACKAGE = Sums("package", FILE.pattern, INNER.pattern, PackageError)
LARGEST = 512_000_000
"""Bytes of a file; a module is a few megabytes, but an AdapterFusion over a large encoder is hundreds."""


def can_belong(name: str) -> bool:
    """Whether some package has a file of this name, its sums among them."""
    return name == SUMS or FILE.fullmatch(name) is not None


def files_in(folder: Path) -> dict[str, Path]:
    """The files of a package by name, which for those in inner folders is like `below/name/file`.

    Raises:
        PackageError: something is no plain file, or lies in a folder that no package has.
    """
    return PACKAGE.files_in(folder)


def write_sums(folder: Path) -> None:
    """Writes the sums of all files of a folder."""
    sums = {name: sha256_of(path) for name, path in files_in(folder).items() if name != SUMS}
    (folder / SUMS).write_text(rendered(sums), encoding="utf-8")


def verify_sums(folder: Path) -> set[str]:
    """The files of a package without its sums, if they are those that were summed, and no others.

    Raises:
        PackageError: a file is missing, changed, too large, unknown, or no plain file of the folder.
    """
    expected = PACKAGE.read(folder)
    found = files_in(folder)
    for path in found.values():
        if path.stat().st_size > LARGEST:
            raise PackageError(f"{path}: larger than {LARGEST // 10**6} MB, which no module is")
    PACKAGE.require(folder, expected, found)
    return set(expected)
