"""A stack of LoRAs is exactly one LoRA of summed rank."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lowres_stilts.errors import TrainingError


@dataclass(frozen=True)
class LoraLayer:
    """The update of one linear layer: `scaling * B @ A`."""

    a: Tensor
    """`[rank, in]`."""
    b: Tensor
    """`[out, rank]`."""
    scaling: float
    magnitude: Tensor | None = None
    """`[out]`: DoRA's norms, to which the columns of `W + scaling * B @ A` are brought."""


def collapse(modules: Sequence[dict[str, LoraLayer]]) -> dict[str, LoraLayer]:
    """One LoRA, with scaling 1 and float32 weights, whose update is the sum of these.

    Layers that a module leaves alone get rows of zeros, so that all have the same rank.

    Args:
        modules: the stack, each by the name of the layer.

    Raises:
        TrainingError: one of several is a DoRA.
    """
    if len(modules) > 1 and any(layer.magnitude is not None for module in modules for layer in module.values()):
        raise TrainingError("DoRA modules are no sums and cannot be collapsed")
    ranks = [max(layer.a.shape[0] for layer in module.values()) for module in modules]
    layers = dict.fromkeys(name for module in modules for name in module)
    return {name: _joined([module.get(name) for module in modules], ranks) for name in layers}


def _joined(parts: Sequence[LoraLayer | None], ranks: Sequence[int]) -> LoraLayer:
    known = next(part for part in parts if part is not None)
    width, height = known.a.shape[1], known.b.shape[0]
    a, b = [], []
    for part, rank in zip(parts, ranks, strict=True):
        missing = rank - (0 if part is None else part.a.shape[0])
        if part is not None:
            a.append(part.a.float())
            b.append(part.b.float() * part.scaling)
        a.append(torch.zeros(missing, width, device=known.a.device))
        b.append(torch.zeros(height, missing, device=known.b.device))
    return LoraLayer(torch.cat(a), torch.cat(b, dim=1), 1.0, known.magnitude if len(parts) == 1 else None)
