"""Writes an adapter package: the files of a plain library, the manifest, the card and the sums."""

from collections.abc import Callable
from pathlib import Path

from lowres_stilts.hub.card import CARD, model_card
from lowres_stilts.hub.checksums import write_sums
from lowres_stilts.hub.manifest import MANIFEST, Manifest, dump_manifest


def write_package(folder: Path, manifest: Manifest, write_module: Callable[[Path], object]) -> None:
    """Fills an existing, empty folder.

    Args:
        folder: where to.
        manifest: what `stilts.json` says.
        write_module: writes modules and heads into the folder, as a plain library wants them.
    """
    write_module(folder)
    describe_package(folder, manifest)


def describe_package(folder: Path, manifest: Manifest) -> None:
    """Writes manifest, card and sums beside modules and heads, or over those that are there."""
    (folder / MANIFEST).write_text(dump_manifest(manifest), encoding="utf-8")
    (folder / CARD).write_text(model_card(manifest), encoding="utf-8")
    write_sums(folder)
