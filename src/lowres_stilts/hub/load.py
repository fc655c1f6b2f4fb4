"""A package over its base model, ready to predict."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from lowres_stilts.encoder.checkpoint import weights_sha256
from lowres_stilts.encoder.load import Encoder, compute_on, device_of, load_encoder
from lowres_stilts.encoder.starter import BASE_ID, STARTER_ID
from lowres_stilts.errors import EncoderError, PackageError, TrainingError
from lowres_stilts.hub.composition import Composition
from lowres_stilts.hub.manifest import Base
from lowres_stilts.hub.verify import Package
from lowres_stilts.modules.bottleneck import AdapterStack
from lowres_stilts.modules.lora import ModuleStack
from lowres_stilts.modules.network import Network, make_head
from lowres_stilts.modules.stack import Stack
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.tasks.task import Task

MODULE = "package"


@dataclass(frozen=True)
class Loaded:
    """The base with a package's modules and the heads of its tasks."""

    encoder: Encoder
    stack: Stack
    network: Network
    composition: Composition | None
    """Of AdapterHub's modules."""

    def speak(self, language: str) -> None:
        """Activates the modules for a language; without an adapter of its own, those for English."""
        self.stack.activate([MODULE] if self.composition is None else self.composition.active(language))


def load_package(
    package: Package, tasks: dict[str, Task], *, device: Literal["auto", "cpu", "cuda"] = "auto"
) -> Loaded:
    """Loads the base as it was in training, and puts the modules and the heads over it.

    Args:
        package: a checked package.
        tasks: the records of the tasks that it has heads for, by name.
        device: where to run.

    Raises:
        PackageError: the base's weights are not those that the module was trained on, or it does not fit them.
        EncoderError: the base cannot be loaded.
    """
    base = package.manifest.base
    return put_over(load_base(package, base, device=device), package, tasks)


def put_over(encoder: Encoder, package: Package, tasks: dict[str, Task]) -> Loaded:
    """Puts the modules and heads of a package over its base, which is changed in place.

    Args:
        encoder: the base, with nothing over it.
        package: a checked package.
        tasks: the records of the tasks that it has heads for, by name.

    Raises:
        PackageError: it does not fit the base.
    """
    try:
        stack = _modules(package, encoder)
    except TrainingError as error:
        raise PackageError(f"{package.folder}: does not fit {package.manifest.base.id}: {error}") from error
    heads = {}
    for name, task in tasks.items():
        family = FAMILIES[task.family]
        heads[name] = make_head(encoder, family.head, family.outputs(task), layout=package.manifest.head)
        weights = {key: value.float() for key, value in package.heads[name].items()}
        with torch.no_grad():
            heads[name].load_state_dict(weights)
    loaded = Loaded(encoder, stack, Network(stack.model, heads), package.manifest.composition)
    loaded.speak("en")
    return loaded


def load_base(package: Package, base: Base, *, device: Literal["auto", "cpu", "cuda"] = "auto") -> Encoder:
    """The base of a package, stored and computed with as `base` says.

    Raises:
        PackageError: its weights are not those that the module was trained on.
        EncoderError: it cannot be loaded.
    """
    model_id = model_id_of(base)
    compute = compute_on(device_of(device).type, base.compute)
    encoder = load_encoder(
        model_id, quantize=base.quantize, embeddings=base.embeddings, compute=compute, device=device
    )
    found = weights_sha256(encoder.path, encoder.revision)
    if base.sha256 is not None and found != base.sha256:
        raise PackageError(
            f"{package.folder}: trained on weights {base.sha256[:12]} of {base.id}, but {model_id} has "
            f"{(found or 'none')[:12]}; its scores would not be those of the card; get that "
            "model, or the package anew"
        )
    return encoder


def _modules(package: Package, encoder: Encoder) -> Stack:
    if package.manifest.composition is None:
        lora = ModuleStack(encoder)
        lora.add_collapsed(MODULE, package.layers)
        return lora
    adapters = AdapterStack(encoder)
    # From the last to the first: a fusion comes after what it fuses.
    for place, module in reversed(package.manifest.composition.places.items()):
        adapters.load(module.name, package.folder / place)
    return adapters


def model_id_of(base: Base) -> str:
    """Where to load a base from: the starter stands for its original where the hash says so, with no hub."""
    if base.id != BASE_ID or base.sha256 is None:
        return base.id
    try:
        from lowres_stilts.encoder.starter import starter_model_dir  # noqa: PLC0415 - its packages are an extra

        folder = Path(starter_model_dir())
    except EncoderError:
        return base.id
    return STARTER_ID if weights_sha256(str(folder)) == base.sha256 else base.id
