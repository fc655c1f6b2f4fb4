"""From a phase's LoRA, and those below it, to one package in PEFT's format."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from lowres_stilts.hub.describe import described, made_of
from lowres_stilts.hub.heads import trained_heads
from lowres_stilts.hub.peft_files import CONFIG, MAGNITUDE, PREFIX, WEIGHTS, write_peft
from lowres_stilts.hub.peft_layout import BARE, layout_of
from lowres_stilts.hub.write import write_package
from lowres_stilts.modules.collapse import LoraLayer, collapse
from lowres_stilts.modules.fusion import FUSION, fused_weights
from lowres_stilts.pipeline.folder import RunFolder
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.tasks.load import find_task


def pack_lora(folder: Path, run: RunFolder, results: dict[str, Any], summary: dict[str, Any]) -> None:
    """Fills an existing, empty folder with the package of a phase."""
    module = run.phase(summary["phase"]) / "module"
    layers = collapse([*_below(run, summary), _lora(module)])
    manifest = described(
        results,
        summary,
        rank=next(iter(layers.values())).a.shape[0],
        dora=any(layer.magnitude is not None for layer in layers.values()),
        auto_class=_auto_class(results, summary),
        stack=made_of(run, summary, WEIGHTS),
    )
    heads = trained_heads(module, list(summary["tasks"]))
    write_package(folder, manifest, lambda place: write_peft(place, manifest, layers, heads))


def _below(run: RunFolder, summary: dict[str, Any]) -> list[dict[str, LoraLayer]]:
    """The modules below, each layer with the weight that was learned for it."""
    modules = {name: _lora(run.phase(name) / "module") for name in summary["below"]}
    fusion = run.phase(summary["phase"]) / "module" / FUSION
    learned = fused_weights(fusion) if fusion.exists() else {}
    return [
        {
            path: replace(layer, scaling=layer.scaling * learned.get(name, {}).get(path, 1.0))
            for path, layer in module.items()
        }
        for name, module in modules.items()
    ]


def _lora(module: Path) -> dict[str, LoraLayer]:
    """A module as PEFT saved it over the bare encoder."""
    config = json.loads((module / CONFIG).read_text(encoding="utf-8"))
    tensors = load_file(module / WEIGHTS)
    names = {key.removeprefix(PREFIX).rpartition(".lora_")[0] for key in tensors}
    return {
        name: LoraLayer(
            tensors[f"{PREFIX}{name}.lora_A.weight"],
            tensors[f"{PREFIX}{name}.lora_B.weight"],
            config["lora_alpha"] / (math.sqrt(config["r"]) if config["use_rslora"] else config["r"]),
            tensors.get(f"{PREFIX}{name}.{MAGNITUDE}"),
        )
        for name in sorted(names)
    }


def _auto_class(results: dict[str, Any], summary: dict[str, Any]) -> str:
    if len(summary["tasks"]) > 1:
        return BARE.auto_class
    (name,) = summary["tasks"]
    task = find_task(name, Recipe.stored(results["recipe"], "results.json").tasks, "tasks")
    mean = summary["head"] == "mean"
    return layout_of(results["model"]["model_type"], task.family, mean_head=mean).auto_class
