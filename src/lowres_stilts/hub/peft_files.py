"""A LoRA in PEFT's format."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peft import LoraConfig
from torch import Tensor

from lowres_stilts.hub.configs import write_config
from lowres_stilts.hub.heads import HEAD, write_heads
from lowres_stilts.hub.manifest import Manifest
from lowres_stilts.hub.peft_layout import BARE, Layout, layout_of
from lowres_stilts.hub.tensors import write_tensors
from lowres_stilts.modules.collapse import LoraLayer

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
MAGNITUDE = "lora_magnitude_vector"
IN_LAYER = re.compile(r"encoder\.layer\.\d+\.(.+)")


def peft_layout(manifest: Manifest) -> Layout:
    """The layout that the manifest implies."""
    if len(manifest.tasks) > 1 or manifest.auto_class == BARE.auto_class:
        return BARE
    (task,) = manifest.tasks
    return layout_of(manifest.base.model_type, task.family, mean_head=manifest.head == "mean")


def peft_names(manifest: Manifest) -> set[str]:
    """The files of the module and its heads."""
    return {CONFIG, WEIGHTS} | (set() if peft_layout(manifest).complete else {HEAD})


def write_peft(
    folder: Path,
    manifest: Manifest,
    layers: Mapping[str, LoraLayer],
    heads: Mapping[str, Mapping[str, Tensor]],
) -> None:
    """Writes module and heads into an existing folder.

    Args:
        folder: where to.
        manifest: what `stilts.json` says.
        layers: one LoRA by layer of the encoder, scaling 1.
        heads: weights of the head of each task; inside PEFT's file where the layout has a place for them.
    """
    layout = peft_layout(manifest)
    tensors = {
        f"{PREFIX}{layout.encoder}{name}.lora_{side}.weight": tensor
        for name, layer in layers.items()
        for side, tensor in (("A", layer.a), ("B", layer.b))
    }
    tensors |= {
        f"{PREFIX}{layout.encoder}{name}.{MAGNITUDE}": layer.magnitude
        for name, layer in layers.items()
        if layer.magnitude is not None
    }
    if layout.complete:
        (head,) = heads.values()
        tensors |= {f"{PREFIX}{layout.head[name]}": tensor for name, tensor in head.items()}
    else:
        write_heads(heads, folder)
    write_tensors(tensors, folder / WEIGHTS)
    write_config(peft_config(manifest, list(layers)), folder / CONFIG)


def peft_config(manifest: Manifest, layers: list[str]) -> dict[str, Any]:
    """PEFT's configuration; the same for the same package."""
    layout = peft_layout(manifest)
    config = LoraConfig(
        r=manifest.rank,
        lora_alpha=manifest.rank,
        use_dora=manifest.dora,
        target_modules=target_modules(layers, chosen=has_chosen_layers(manifest.recipe)),
        modules_to_save=list(layout.modules_to_save) or None,
        task_type=layout.task_type,
        base_model_name_or_path=manifest.base.id,
        inference_mode=True,
    )
    return {key: sorted(value) if isinstance(value, set) else value for key, value in config.to_dict().items()}


def has_chosen_layers(recipe: Mapping[str, Any]) -> bool:
    """Whether some module of the recipe is on some of the encoder's layers only."""
    sections = (recipe.get(name) or {} for name in ("intermediate", "target"))
    return any((section.get("module") or {}).get("layers") for section in sections)


def target_modules(layers: list[str], *, chosen: bool = False) -> list[str] | str:
    """The ends of the layers' names, or an expression where an end would match other layers too.

    Args:
        layers: names within the encoder.
        chosen: they are not in all of its layers.
    """
    if chosen:
        return rf"(.*\.)?({'|'.join(map(re.escape, sorted(layers)))})"
    ends = sorted({match[1] for name in layers if (match := IN_LAYER.fullmatch(name))})
    if "output.dense" in ends and "attention.output.dense" not in ends:
        return rf"(.*\.)?encoder\.layer\.\d+\.({'|'.join(map(re.escape, ends))})"
    return ends
