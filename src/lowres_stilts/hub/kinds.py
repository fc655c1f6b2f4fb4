"""What a folder or a repository of the Hub can hold: an adapter package, or a bundle."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from lowres_stilts.errors import BundleError, PackageError
from lowres_stilts.hub.bundle_card import bundle_text
from lowres_stilts.hub.card import card_text
from lowres_stilts.hub.checksums import PACKAGE
from lowres_stilts.hub.doubts import doubts_of, doubts_of_bundle
from lowres_stilts.hub.manifest import MANIFEST, dump_manifest, read_manifest
from lowres_stilts.names import require_folder
from lowres_stilts.parts import read_part
from lowres_stilts.runtime.bundle import Bundle
from lowres_stilts.runtime.manifest import MANIFEST as BUNDLE_MANIFEST
from lowres_stilts.runtime.manifest import Manifest as BundleManifest
from lowres_stilts.runtime.sums import BUNDLE
from lowres_stilts.sums import SUMS, Sums


@dataclass(frozen=True)
class Summary:
    """What lists say; read from the manifest alone."""

    name: str
    kind: str
    tasks: list[str]
    base: str


@dataclass(frozen=True)
class Kind:
    """A kind of folder that is pushed, pulled, verified and shown."""

    manifest: str
    """The file that only this kind has."""
    sums: Sums
    home: str
    """The folder under which those that are pulled lie by default."""
    check: Callable[[Path], str]
    """Checks all that can be checked without the base model, and says what it is; raises the error of its sums."""
    summary: Callable[[Path], Summary]
    doubts: Callable[[Path], list[str]]
    """Which of its scores are no better than one answer for all; from its manifest."""
    card: Callable[[Path], str]
    """The text of its card, from its manifest."""
    json: Callable[[Path], str]
    """Its manifest."""


def kind_of(folder: Path) -> Kind:
    """The kind of a folder: a bundle where it has a bundle's manifest and no package's.

    Raises:
        PackageError: there is no such folder.
    """
    require_folder(folder, PackageError, "`lowres-stilts hub list` shows what there is")
    return kind_among([kind.manifest for kind in KINDS if (folder / kind.manifest).exists()]) or PACKAGES


def kind_among(names: Collection[str]) -> Kind | None:
    """The kind that has one of these files as its manifest."""
    return next((kind for kind in KINDS if kind.manifest in names), None)


def files_of(folder: Path) -> dict[str, Path]:
    """The files of a checked folder by name, its sums among them."""
    return {name: folder / name for name in sorted((*kind_of(folder).sums.read(folder), SUMS))}


def _check_package(folder: Path) -> str:
    from lowres_stilts.hub.verify import open_package  # noqa: PLC0415 - needs torch, which bundles do not

    manifest = open_package(folder).manifest
    detail = manifest.kind if manifest.rank is None else f"rank {manifest.rank}"
    return f"{manifest.name}, {detail}, {', '.join(task.name for task in manifest.tasks)}"


def _check_bundle(folder: Path) -> str:
    bundle = Bundle.load(folder)
    bundle.network.open_all()
    return f"a bundle over {bundle.manifest.base.id}, {', '.join(bundle.adapters)}"


def _package_summary(folder: Path) -> Summary:
    manifest = read_manifest(folder)
    return Summary(manifest.name, manifest.kind, [task.name for task in manifest.tasks], manifest.base.id)


def _bundle_summary(folder: Path) -> Summary:
    manifest = _bundle_manifest(folder)
    tasks = list(dict.fromkeys(part.task for part in manifest.adapters))
    return Summary(folder.name, "bundle", tasks, manifest.base.id)


def _bundle_manifest(folder: Path) -> BundleManifest:
    return read_part(folder / BUNDLE_MANIFEST, BundleManifest, BundleError, "bundle")


PACKAGES = Kind(
    MANIFEST,
    PACKAGE,
    "adapters",
    _check_package,
    _package_summary,
    lambda folder: doubts_of(read_manifest(folder)),
    lambda folder: card_text(read_manifest(folder)),
    lambda folder: dump_manifest(read_manifest(folder)),
)
BUNDLES = Kind(
    BUNDLE_MANIFEST,
    BUNDLE,
    "bundles",
    _check_bundle,
    _bundle_summary,
    lambda folder: doubts_of_bundle(_bundle_manifest(folder)),
    lambda folder: bundle_text(_bundle_manifest(folder)),
    lambda folder: _bundle_manifest(folder).model_dump_json(indent=2) + "\n",
)
KINDS = (PACKAGES, BUNDLES)
