"""What is exported: adapter packages that share a base, and that base in float32."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lowres_stilts.encoder.load import Encoder, load_encoder
from lowres_stilts.errors import PackageError
from lowres_stilts.export.reference import float_encoder
from lowres_stilts.hub.load import check_weights, model_id, network_over
from lowres_stilts.hub.manifest import Base, TaskPart
from lowres_stilts.hub.pack import pack_run
from lowres_stilts.hub.verify import Package, open_package
from lowres_stilts.modules.lora import ModuleStack
from lowres_stilts.modules.network import Network
from lowres_stilts.pipeline.folder import RunFolder
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.tasks.load import find_task
from lowres_stilts.tasks.task import Task


@dataclass(frozen=True)
class Exported:
    """One adapter of the bundle: a package's module with the head of one of its tasks."""

    name: str
    package: Package
    part: TaskPart
    task: Task


def open_packages(places: Sequence[Path]) -> list[Package]:
    """The packages of these folders; of a finished run, its last phase's.

    Raises:
        PackageError: one is damaged, or they have different bases.
        RunError: a run's package cannot be written.
    """
    packages = [open_package(_package_of(place)) for place in places]
    first = packages[0].manifest.base
    for package in packages[1:]:
        other = package.manifest.base
        if (other.id, other.sha256) != (first.id, first.sha256):
            raise PackageError(
                f"{package.folder}: its base is {other.id} ({_short(other)}), but that of {packages[0].folder} is "
                f"{first.id} ({_short(first)}); a bundle has one base, so export them apart"
            )
    return packages


def exported(packages: Sequence[Package]) -> list[Exported]:
    """The adapters of these packages: one for each task with a head that can be asked.

    Raises:
        PackageError: two have the same name.
    """
    found: dict[str, Exported] = {}
    for package in packages:
        recipe = Recipe.model_validate(package.manifest.recipe)
        parts = [part for part in package.manifest.tasks if part.family != "mlm"]
        for part in parts:
            name = package.manifest.name if len(parts) == 1 else f"{package.manifest.name}-{part.name}"
            if name in found:
                raise PackageError(f"{package.folder}: another package is called {name} too; rename one of them")
            found[name] = Exported(name, package, part, find_task(part.name, recipe.tasks, "tasks"))
    return list(found.values())


def float_base(packages: Sequence[Package]) -> tuple[Encoder, Base]:
    """The base in float32, with the values that it had in training.

    Packages that were trained on differently quantized copies share the unquantized one.

    Raises:
        PackageError: the base's weights are others than those that the packages were trained on.
        EncoderError: it cannot be loaded.
    """
    base = packages[0].manifest.base
    stored = {(package.manifest.base.quantize, package.manifest.base.embeddings) for package in packages}
    if len(stored) > 1:
        base = base.model_copy(update={"quantize": "none", "embeddings": "none"})
    name = model_id(base)
    encoder = load_encoder(
        name, quantize=base.quantize, embeddings=base.embeddings, compute="float32", device="cpu"
    )
    check_weights(packages[0], encoder, name)
    return float_encoder(encoder), base


def networks(encoder: Encoder, adapters: Sequence[Exported]) -> "Switch":
    """The float32 base with every adapter over it, one active at a time; it changes the encoder in place."""
    stack = ModuleStack(encoder)
    for package in {id(item.package): item.package for item in adapters}.values():
        stack.add_collapsed(package.manifest.name, package.layers)
    return Switch(stack, {item.name: (item, network_over(encoder, stack, item.package, [item.task])) for item in adapters})


@dataclass(frozen=True)
class Switch:
    """Turns one adapter on at a time."""

    stack: ModuleStack
    networks: dict[str, tuple[Exported, Network]]

    def bare(self) -> None:
        """Only the encoder."""
        self.stack.activate([])

    def on(self, name: str) -> Network:
        """The network with this adapter alone."""
        item, network = self.networks[name]
        self.stack.activate([item.package.manifest.name])
        return network


def _package_of(place: Path) -> Path:
    if (place / "phases").is_dir():
        return pack_run(RunFolder(place).path)[-1]
    return place


def _short(base: Base) -> str:
    return (base.sha256 or "no hash")[:12]
