"""Writes an adapter package: PEFT's files, the manifest, the card and the sums."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from safetensors.torch import save_file
from torch import Tensor

from lowres_stilts.hub.card import model_card
from lowres_stilts.hub.checksums import write_sums
from lowres_stilts.hub.layout import Layout
from lowres_stilts.hub.manifest import MANIFEST, Manifest, dump_manifest
from lowres_stilts.modules.collapse import LoraLayer

STORED = torch.bfloat16
PEFT_PREFIX = "base_model.model."
MAGNITUDE = "lora_magnitude_vector"
IN_LAYER = re.compile(r"encoder\.layer\.\d+\.(.+)")


def write_package(
    folder: Path,
    manifest: Manifest,
    layout: Layout,
    layers: Mapping[str, LoraLayer],
    heads: Mapping[str, Mapping[str, Tensor]],
) -> None:
    """Fills an existing, empty folder.

    Args:
        folder: where to.
        manifest: what `stilts.json` says.
        layout: how plain libraries want it.
        layers: one LoRA by layer of the encoder, scaling 1.
        heads: weights of the head of each task; inside PEFT's file where the layout has a place for them.
    """
    tensors = {
        f"{PEFT_PREFIX}{layout.encoder}{name}.lora_{side}.weight": tensor
        for name, layer in layers.items()
        for side, tensor in (("A", layer.a), ("B", layer.b))
    }
    tensors |= {
        f"{PEFT_PREFIX}{layout.encoder}{name}.{MAGNITUDE}": layer.magnitude
        for name, layer in layers.items()
        if layer.magnitude is not None
    }
    if layout.complete:
        (head,) = heads.values()
        tensors |= {f"{PEFT_PREFIX}{layout.head[name]}": tensor for name, tensor in head.items()}
    else:
        flat = {f"{task}.{name}": tensor for task, head in heads.items() for name, tensor in head.items()}
        save_file(_stored(flat), folder / "head.safetensors")
    save_file(_stored(tensors), folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config = adapter_config(manifest, layout, list(layers))
    (folder / "adapter_config.json").write_text(
        json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )
    (folder / MANIFEST).write_text(dump_manifest(manifest), encoding="utf-8")
    (folder / "README.md").write_text(model_card(manifest), encoding="utf-8")
    write_sums(folder)


def adapter_config(manifest: Manifest, layout: Layout, layers: list[str]) -> dict[str, Any]:
    """PEFT's configuration; the same for the same package."""
    config = LoraConfig(
        r=manifest.rank,
        lora_alpha=manifest.rank,
        use_dora=manifest.dora,
        target_modules=target_modules(layers),
        modules_to_save=list(layout.modules_to_save) or None,
        task_type=layout.task_type,
        base_model_name_or_path=manifest.base.id,
        inference_mode=True,
    )
    return {key: sorted(value) if isinstance(value, set) else value for key, value in config.to_dict().items()}


def target_modules(layers: list[str]) -> list[str] | str:
    """The ends of the layers' names, or an expression where an end would match other layers too."""
    ends = sorted({match[1] for name in layers if (match := IN_LAYER.fullmatch(name))})
    if "output.dense" in ends and "attention.output.dense" not in ends:
        return rf"(.*\.)?encoder\.layer\.\d+\.({'|'.join(map(re.escape, ends))})"
    return ends


def _stored(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().to(STORED).contiguous() for name, tensor in tensors.items()}
