"""The kinds of folders that are shared on the Hugging Face Hub: adapter packages, and bundles."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lowres_stilts.hub import checksums
from lowres_stilts.hub import manifest as packages
from lowres_stilts.runtime import manifest as bundles
from lowres_stilts.runtime.sums import BUNDLE
from lowres_stilts.sums import SUMS


@dataclass(frozen=True)
class Kind:
    """What a push and a pull ask of a kind of folder."""

    noun: str
    marker: str
    """The file that such a folder has, and no other."""
    can_belong: Callable[[str], bool]
    """Whether some folder of the kind has a file of this name."""
    files_in: Callable[[Path], Mapping[str, Path]]
    """Its files by name; raises the kind's error where something is no file of it."""
    largest: int
    """Bytes of a file."""
    home: str
    """The folder that pulls go to where nothing else is said."""


def kind_of(names: Iterable[str]) -> Kind | None:
    """The kind of a folder with these files."""
    found = set(names)
    return next((kind for kind in KINDS if kind.marker in found), None)


def is_bundle(folder: Path) -> bool:
    """Whether a folder says that it is a bundle."""
    return (folder / bundles.MANIFEST).is_file()


def _in_bundle(name: str) -> bool:
    return name == SUMS or re.fullmatch(BUNDLE.files, name) is not None


BUNDLES = Kind("bundle", bundles.MANIFEST, _in_bundle, BUNDLE.files_in, 50 * 10**9, "bundles")
PACKAGES = Kind(
    "adapter package of lowres-stilts",
    packages.MANIFEST,
    checksums.can_belong,
    checksums.files_in,
    checksums.LARGEST,
    "adapters",
)
KINDS = (PACKAGES, BUNDLES)
