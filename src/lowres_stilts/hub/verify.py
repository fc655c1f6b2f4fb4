"""Whether a package is whole, safe and what it says it is."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from lowres_stilts.errors import PackageError
from lowres_stilts.hub.adapterhub_check import read_adapterhub
from lowres_stilts.hub.adapterhub_files import adapterhub_names
from lowres_stilts.hub.card import CARD
from lowres_stilts.hub.checksums import verify_sums
from lowres_stilts.hub.manifest import MANIFEST, Manifest, read_manifest
from lowres_stilts.hub.peft_check import read_peft
from lowres_stilts.hub.peft_files import peft_names
from lowres_stilts.modules.collapse import LoraLayer
from lowres_stilts.names import require_folder, require_utf8


@dataclass(frozen=True)
class Package:
    """A package whose content was checked."""

    folder: Path
    manifest: Manifest
    layers: dict[str, LoraLayer]
    """Of a LoRA, by layer of the encoder; AdapterHub's modules are loaded from their folders."""
    heads: dict[str, dict[str, Tensor]]
    """Weights of the head by task, in our own names."""


def open_package(folder: Path) -> Package:
    """Checks everything that can be checked without the base model, and reads the weights.

    Raises:
        PackageError: the folder is damaged, unsafe, or its files contradict each other.
        UsageError: its path is not UTF-8.
    """
    require_utf8(folder)
    require_folder(folder, PackageError, "`lowres-stilts hub list` shows what there is")
    names = set(verify_sums(folder))
    manifest = read_manifest(folder)
    composition = manifest.composition
    of_format = peft_names(manifest) if composition is None else adapterhub_names(manifest, composition)
    _check_names(folder, names, {MANIFEST, CARD, *of_format})
    if composition is None:
        return Package(folder, manifest, *read_peft(folder, manifest))
    return Package(folder, manifest, {}, read_adapterhub(folder, manifest, composition))


def _check_names(folder: Path, found: set[str], expected: set[str]) -> None:
    for name in sorted(found ^ expected):
        problem = "missing" if name in expected else f"does not belong to the package that {MANIFEST} describes"
        raise PackageError(f"{folder / name}: {problem}; get the package anew")
