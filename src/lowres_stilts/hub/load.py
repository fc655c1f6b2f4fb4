"""A package over its base model, ready to predict."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from lowres_stilts.encoder.checkpoint import weights_sha256
from lowres_stilts.encoder.load import Encoder, load_encoder
from lowres_stilts.encoder.starter import BASE_ID, STARTER_ID
from lowres_stilts.errors import EncoderError, PackageError
from lowres_stilts.hub.manifest import Base
from lowres_stilts.hub.verify import Package
from lowres_stilts.modules.lora import ModuleStack
from lowres_stilts.modules.network import Network, make_head
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.tasks.task import Task

MODULE = "package"


@dataclass(frozen=True)
class Loaded:
    """The base with a package's module and the heads of its tasks."""

    encoder: Encoder
    stack: ModuleStack
    network: Network


def load_package(
    package: Package, tasks: dict[str, Task], *, device: Literal["auto", "cpu", "cuda"] = "auto"
) -> Loaded:
    """Loads the base as it was in training, and puts the module and the heads over it.

    Args:
        package: a checked package.
        tasks: the records of its tasks, by name.
        device: where to run.

    Raises:
        PackageError: the base's weights are not those that the module was trained on.
        EncoderError: the base cannot be loaded.
    """
    base = package.manifest.base
    model_id = _model_id(base)
    encoder = load_encoder(
        model_id, quantize=base.quantize, embeddings=base.embeddings, compute=base.compute, device=device
    )
    found = weights_sha256(encoder.path, encoder.revision)
    if base.sha256 is not None and found != base.sha256:
        raise PackageError(
            f"{package.folder}: trained on weights {base.sha256[:12]} of {base.id}, but {model_id} has "
            f"{(found or 'none')[:12]}; its scores would not be those of the card"
        )
    stack = ModuleStack(encoder)
    stack.add_collapsed(MODULE, package.layers)
    stack.activate([MODULE])
    heads = {}
    for name, task in tasks.items():
        family = FAMILIES[task.family]
        heads[name] = make_head(encoder, family.head, family.outputs(task), layout=package.manifest.head)
        weights = {key: value.float() for key, value in package.heads[name].items()}
        with torch.no_grad():
            heads[name].load_state_dict(weights)
    return Loaded(encoder, stack, Network(stack.model, heads))


def _model_id(base: Base) -> str:
    """The starter is what stands for its original where the hash says so, with no hub."""
    if base.id != BASE_ID or base.sha256 is None:
        return base.id
    try:
        from lowres_stilts.encoder.starter import starter_model_dir  # noqa: PLC0415 - its packages are an extra

        folder = Path(starter_model_dir())
    except EncoderError:
        return base.id
    return STARTER_ID if weights_sha256(str(folder)) == base.sha256 else base.id
