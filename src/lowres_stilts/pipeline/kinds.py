"""Kinds of modules: what holds them over the encoder, and how one is added by its settings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lowres_stilts.encoder.load import Encoder
from lowres_stilts.modules.bottleneck import AdapterStack
from lowres_stilts.modules.lora import ModuleStack
from lowres_stilts.modules.stack import Stack
from lowres_stilts.plugins import Registry
from lowres_stilts.recipe.module import ModuleSettings


@dataclass(frozen=True)
class Kind:
    """A kind of modules."""

    stack: Callable[[Encoder], Stack]
    """An empty stack over an encoder, which it may change in place; the encoder may be on the meta device."""
    add: Callable[[Any, str, ModuleSettings, Sequence[str] | None], None]
    """Adds a new module of this name to such a stack; the last are modules below whose weights it also learns."""


def add_lora(stack: ModuleStack, name: str, settings: ModuleSettings, fused: Sequence[str] | None = None) -> None:
    """Adds a LoRA."""
    stack.add_lora(
        name,
        rank=settings.rank,
        alpha=settings.alpha,
        targets=settings.targets,
        dropout=settings.dropout,
        rslora=settings.rslora,
        dora=settings.dora,
        init=settings.init,
        layers=settings.chosen_layers,
    )
    if fused is not None:
        stack.fuse(name, fused)


def add_bottleneck(
    stack: AdapterStack, name: str, settings: ModuleSettings, fused: Sequence[str] | None = None
) -> None:
    """Adds a bottleneck adapter, or an AdapterFusion of others."""
    if fused is not None:
        stack.add_fusion(name, fused)
        return
    stack.add_bottleneck(
        name,
        kind=settings.adapter,
        reduction=settings.reduction,
        dropout=settings.dropout,
        layers=settings.chosen_layers,
    )


def add_language(
    stack: AdapterStack, name: str, settings: ModuleSettings, fused: Sequence[str] | None = None
) -> None:
    """Adds a language adapter."""
    stack.add_language(name, reduction=settings.reduction, dropout=settings.dropout, layers=settings.chosen_layers)


KINDS: Registry[Kind] = Registry(
    "kinds",
    {
        "lora": Kind(ModuleStack, add_lora),
        "bottleneck": Kind(AdapterStack, add_bottleneck),
        "language": Kind(AdapterStack, add_language),
    },
    Kind,
)
