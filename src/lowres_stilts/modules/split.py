"""The encoder in two parts: layers below all that learns, computed once, and those above."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

LAYER = re.compile(r"(?:^|\.)encoder\.layer\.(\d+)\.")


def lowest_trained_layer(model: nn.Module) -> int:
    """How many layers lie below the first parameter that learns; 0 where one learns before the first layer."""
    layers = [LAYER.search(name) for name, parameter in model.named_parameters() if parameter.requires_grad]
    return min((int(match[1]) if match else 0 for match in layers), default=0)


def is_noisy(model: Any, layers: int) -> bool:
    """Whether a module drops something out before or in the first `layers` layers."""
    below = [model.embeddings, *model.encoder.layer[:layers], *_couplings(model)]
    return bool(_couplings(model)) or any(
        isinstance(part, nn.Dropout) and part.p > 0 for each in below for part in each.modules()
    )


def _couplings(model: Any) -> list[nn.Module]:
    """Language adapters change the embeddings behind our back: their encoder is not split."""
    return list(getattr(model, "invertible_adapters", {}).values())


def lower_states(run: nn.Module, model: Any, ids: Tensor, mask: Tensor, layers: int) -> Tensor:
    """Hidden states `[batch, length, hidden]` after the first `layers` layers, without gradients.

    Args:
        run: what is called like the encoder: itself, or PEFT's model over it.
        model: the encoder in it.
        ids: `[batch, length]`.
        mask: 1 where there is a token.
        layers: how many.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_with(model.encoder, "layer", model.encoder.layer[:layers]))
        if hasattr(model.encoder, "LayerNorm"):  # of XLM-R XL, behind its last layer
            stack.enter_context(_with(model.encoder, "LayerNorm", nn.Identity()))
        stack.enter_context(torch.no_grad())
        states: Tensor = run(input_ids=ids, attention_mask=mask).last_hidden_state
    return states


def upper_states(run: nn.Module, model: Any, ids: Tensor, mask: Tensor, layers: int, below: Tensor) -> Tensor:
    """Hidden states of the last layer, from those after the first `layers` layers; arguments as `lower_states`."""
    upper, given = (
        _with(model.encoder, "layer", model.encoder.layer[layers:]),
        _with(model, "embeddings", _Given(below)),
    )
    with upper, given:
        states: Tensor = run(input_ids=ids, attention_mask=mask).last_hidden_state
    return states


class _Given(nn.Module):
    """Stands in the place of the embeddings."""

    def __init__(self, states: Tensor) -> None:
        super().__init__()
        self._states = states

    def forward(self, *_: Any, **__: Any) -> Tensor:
        return self._states


@contextlib.contextmanager
def _with(module: nn.Module, name: str, part: nn.Module) -> Iterator[None]:
    """Puts another part into a module for a while."""
    before = getattr(module, name)
    setattr(module, name, part)
    try:
        yield
    finally:
        setattr(module, name, before)
