"""From a finished run to adapter packages."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from lowres_stilts.errors import PackageError
from lowres_stilts.hub.checksums import sha256_of
from lowres_stilts.hub.layout import BARE, layout_of
from lowres_stilts.hub.manifest import Base, Below, Manifest, TaskPart
from lowres_stilts.hub.write import MAGNITUDE, PEFT_PREFIX, write_package
from lowres_stilts.modules.collapse import LoraLayer, collapse
from lowres_stilts.modules.fusion import FUSION, fused_weights
from lowres_stilts.pipeline.folder import RunFolder
from lowres_stilts.pipeline.transfer import BASELINE, TARGET
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.storage import write_folder
from lowres_stilts.tasks.load import find_task


def pack_run(folder: Path) -> list[Path]:
    """Writes the packages of a finished run into `phases/<phase>/package`, those that are not there yet.

    Bottleneck adapters have none: their modules are folders that AdapterHub loads.

    Raises:
        PackageError: the run is not finished.
        RunError: something cannot be written.
    """
    run = RunFolder(folder)
    results = run.results()
    if results is None:
        raise PackageError(f"{run.path}: the run is not finished; go on with `run --resume`")
    return [
        _pack(run, results, summary)
        for summary in results["phases"]
        if summary["phase"] != BASELINE and summary["kind"] == "lora"
    ]


def _pack(run: RunFolder, results: dict[str, Any], summary: dict[str, Any]) -> Path:
    phase: str = summary["phase"]
    package = run.phase(phase) / "package"
    if package.exists():
        return package
    below: list[str] = summary["below"]
    layers = collapse([*_below(run, phase, below), _lora(run.phase(phase) / "module")])
    heads = _heads(run.phase(phase) / "module", list(summary["tasks"]))
    made_of = [*below, *(name for name, weight in _merged(summary).items() if weight)]
    manifest, layout = _described(run, results, summary, phase, made_of, layers)
    return write_folder(package, lambda folder: write_package(folder, manifest, layout, layers, heads))


def _merged(summary: dict[str, Any]) -> dict[str, float]:
    weights: dict[str, float] = summary.get("merged", {}).get("weights", {})
    return weights


def _below(run: RunFolder, phase: str, below: list[str]) -> list[dict[str, LoraLayer]]:
    """The modules below, each layer with the weight that was learned for it."""
    modules = {name: _lora(run.phase(name) / "module") for name in below}
    fusion = run.phase(phase) / "module" / FUSION
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
    config = json.loads((module / "adapter_config.json").read_text(encoding="utf-8"))
    tensors = load_file(module / "adapter_model.safetensors")
    names = {key.removeprefix(PEFT_PREFIX).rpartition(".lora_")[0] for key in tensors}
    return {
        name: LoraLayer(
            tensors[f"{PEFT_PREFIX}{name}.lora_A.weight"],
            tensors[f"{PEFT_PREFIX}{name}.lora_B.weight"],
            config["lora_alpha"] / (math.sqrt(config["r"]) if config["use_rslora"] else config["r"]),
            tensors.get(f"{PEFT_PREFIX}{name}.{MAGNITUDE}"),
        )
        for name in sorted(names)
    }


def _heads(module: Path, tasks: list[str]) -> dict[str, dict[str, Tensor]]:
    weights = load_file(module / "head.safetensors")
    return {
        task: {key.removeprefix(f"{task}."): value for key, value in weights.items() if key.startswith(f"{task}.")}
        for task in tasks
    }


def _described(
    run: RunFolder,
    results: dict[str, Any],
    summary: dict[str, Any],
    phase: str,
    made_of: list[str],
    layers: dict[str, LoraLayer],
) -> tuple[Manifest, Any]:
    recipe, model = Recipe.model_validate(results["recipe"]), results["model"]
    tasks = {name: find_task(name, recipe.tasks, "tasks") for name in summary["tasks"]}
    only = next(iter(tasks.values())) if len(tasks) == 1 else None
    layout = layout_of(model["model_type"], only.family, mean_head=summary["head"] == "mean") if only else BARE
    is_target = phase == TARGET
    settings = recipe.target.train if is_target or recipe.intermediate is None else recipe.intermediate.train
    manifest = Manifest(
        format=1,
        name=_name(recipe.name, phase),
        kind="lora",
        phase=phase,
        rank=next(iter(layers.values())).a.shape[0],
        dora=any(layer.magnitude is not None for layer in layers.values()),
        base=Base(
            id=model["base_id"],
            sha256=model["weights_sha256"],
            model_type=model["model_type"],
            quantize=model["quantize"],
            embeddings=model["embeddings"],
            compute=model["compute"],
        ),
        head=summary["head"],
        auto_class=layout.auto_class,
        tasks=[
            TaskPart(
                name=name,
                family=task.family,
                labels=summary["tasks"][name]["labels"],
                metric=task.metric,
                max_length=settings.max_length or task.max_length,
                licence=task.licence,
                examples=summary["tasks"][name]["examples"],
                dev_score=summary["tasks"][name]["dev_score"],
            )
            for name, task in tasks.items()
        ],
        stack=[
            Below(phase=name, sha256=sha256_of(run.phase(name) / "module" / "adapter_model.safetensors"))
            for name in made_of
        ],
        data_sha256=summary["data_sha256"],
        scores=results["scores"] if is_target else {},
        baseline=results.get("baseline", {}) if is_target else {},
        evaluation=results["evaluation"] if is_target else {},
        recipe=_shareable(results["recipe"]),
        versions=results["versions"],
    )
    return manifest, layout


def _name(recipe: str, phase: str) -> str:
    cleaned = re.sub(r"[^A-Za-z0-9._-]+", "-", recipe).strip("-.") or "module"
    return cleaned if phase == TARGET else f"{cleaned}-{phase.removeprefix('1-')}"


def _shareable(recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe without paths of the machine that it ran on."""
    data = {**recipe["data"], "dir": "data" if recipe["data"].get("dir") else None}
    model = recipe["model"]
    if Path(model["id"]).is_absolute():
        model = {**model, "id": Path(model["id"]).name}
    return {**recipe, "data": data, "model": model}
