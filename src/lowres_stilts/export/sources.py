"""What is exported: adapter packages that share a base, and that base in float32."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lowres_stilts.encoder.load import Encoder
from lowres_stilts.errors import ExportError, PackageError
from lowres_stilts.export.reference import float_encoder
from lowres_stilts.hub.load import Loaded, load_base, put_over
from lowres_stilts.hub.manifest import Base, TaskPart
from lowres_stilts.hub.pack import packages_of
from lowres_stilts.hub.verify import Package, open_package
from lowres_stilts.names import file_name
from lowres_stilts.pipeline.folder import RunFolder
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.runtime.families import FAMILIES
from lowres_stilts.tasks.load import find_task
from lowres_stilts.tasks.task import Task


@dataclass(frozen=True)
class Item:
    """What becomes one adapter of the bundle: a package's module with the head of one of its tasks."""

    name: str
    package: Package
    part: TaskPart
    task: Task
    language: str | None
    """That of its language adapter, where it has one."""

    @property
    def own_graph(self) -> bool:
        """Whether its module is no sum that the base's graph could take as an input."""
        manifest = self.package.manifest
        return manifest.kind != "lora" or manifest.dora

    def over(self, base: Encoder) -> Loaded:
        """The adapter over a copy of a float32 base."""
        copied = replace(base, model=copy.deepcopy(base.model))
        loaded = put_over(copied, self.package, {self.task.name: self.task})
        loaded.speak(self.language or "en")
        return loaded


def open_packages(places: Sequence[Path]) -> list[Package]:
    """The packages of these folders; of a finished run, its last phase's.

    Raises:
        PackageError: one is damaged, or they have different bases.
        RunError: a run's package cannot be written.
    """
    packages = [open_package(package_of(place)) for place in places]
    first = packages[0].manifest.base
    for package in packages[1:]:
        other = package.manifest.base
        if (other.id, other.sha256) != (first.id, first.sha256):
            raise PackageError(
                f"{package.folder}: its base is {other.id} ({_short(other)}), but that of {packages[0].folder} is "
                f"{first.id} ({_short(first)}); a bundle has one base, so export them apart"
            )
    return packages


def package_of(place: Path) -> Path:
    """The folder itself; of a finished run, its last phase's package.

    Raises:
        PackageError: the run is not finished, or has no package.
        RunError: a run's package cannot be written.
    """
    return packages_of(place)[-1] if RunFolder(place).is_run else place


def items_of(packages: Sequence[Package]) -> list[Item]:
    """The adapters of these packages: one for each task with a head, and each language that has an adapter.

    Raises:
        PackageError: two have the same name.
        ExportError: one has no head.
    """
    found: dict[str, Item] = {}
    for item in (item for package in packages for item in _items(package)):
        key = item.name.casefold()  # some file systems take "Mood" and "mood" for the same file
        if key in found:
            raise PackageError(
                f"{item.package.folder}: another package is called {found[key].name} too; export them apart"
            )
        found[key] = item
    return list(found.values())


def _items(package: Package) -> list[Item]:
    manifest = package.manifest
    if manifest.kind == "language":
        raise ExportError(
            f"{package.folder}: a language adapter has no head; export a package that was trained over it, which "
            "has it inside"
        )
    own_tasks = Recipe.stored(manifest.recipe, package.folder).tasks
    parts = [part for part in manifest.tasks if part.family != "mlm"]
    if foreign := [part.family for part in parts if part.family not in FAMILIES]:
        raise ExportError(f"{package.folder}: bundles cannot answer for tasks of the family {foreign[0]}")
    languages: list[str | None] = list(manifest.composition.languages) if manifest.composition else []
    found: list[Item] = []
    for part in parts:
        task = find_task(part.name, own_tasks, "tasks")
        task = replace(task, labels=tuple(part.labels), max_length=part.max_length)
        name = file_name(manifest.name if len(parts) == 1 else f"{manifest.name}-{part.name}")
        found += [
            Item(f"{name}-{code}" if code else name, package, part, task, code) for code in languages or [None]
        ]
    return found


def float_base(packages: Sequence[Package]) -> tuple[Encoder, Base]:
    """The base in float32 with the values that it had in training, and how it was stored there.

    Packages that were trained on differently quantized copies share the unquantized one.

    Raises:
        PackageError: the base's weights are others than those that the packages were trained on.
        EncoderError: it cannot be loaded.
    """
    bases = [package.manifest.base for package in packages]
    changes: dict[str, str] = {"compute": "float32"}
    if len({(base.quantize, base.embeddings) for base in bases}) > 1:
        changes |= {"quantize": "none", "embeddings": "none"}
    base = bases[0].model_copy(update=changes)
    return float_encoder(load_base(packages[0], base, device="cpu")), base


def _short(base: Base) -> str:
    return (base.sha256 or "no hash")[:12]
