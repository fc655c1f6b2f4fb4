"""Modules of packages that stand for intermediate phases: put where a phase that is done has its module."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lowres_stilts.display import Display
from lowres_stilts.encoder.checkpoint import weights_sha256
from lowres_stilts.encoder.load import Encoder
from lowres_stilts.errors import PackageError
from lowres_stilts.pipeline.folder import RunFolder
from lowres_stilts.pipeline.kept_head import head_to_keep, heads_of
from lowres_stilts.pipeline.names import intermediate_names
from lowres_stilts.recipe.model import ModelSettings
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.storage import write_folder
from lowres_stilts.tasks.task import Task


@dataclass(frozen=True)
class GivenModule:
    """An opened and checked package, as far as a run needs to know it."""

    title: str
    """Names it in messages."""
    base_id: str
    base_sha256: str | None
    """Of the weights that it was trained on."""
    model_type: str
    quantize: str
    embeddings: str
    summary: Mapping[str, Any]
    """What a phase's `phase.json` says: tasks, heads, and which package it was."""
    write: Callable[[str, Path], None]
    """Writes module and heads into an empty folder, for a phase of this name."""


def place_modules(
    recipe: Recipe,
    target: Task,
    given: Sequence[GivenModule],
    encoder: Encoder,
    folder: RunFolder,
    display: Display,
) -> None:
    """Puts modules into the folders of the phases that they stand for, those that are not there yet.

    Raises:
        PackageError: one is for another encoder.
        RecipeError: the target should keep a head, and there is none for its labels.
        RunError: something cannot be written.
    """
    if not given:
        return
    found = weights_sha256(encoder.path, encoder.revision)
    for module in given:
        _require_base(module, encoder, found, recipe.model)
    if recipe.target.head == "keep":
        heads = [head for module in given for head in heads_of({**module.summary, "phase": ""})]
        head_to_keep(target, recipe.model.head, heads)
    for name, module in zip(intermediate_names(recipe), given, strict=True):
        if not (folder.phase(name) / "module").exists():
            _place(name, module, folder, _remarks(module, recipe.model))
            folder.log("package taken", phase=name, **module.summary["package"])
        display.line(f"{name}: {module.title}, trained already")
        for remark in _remarks(module, recipe.model):
            display.line(f"warning: {name}: {remark}")


def _require_base(module: GivenModule, encoder: Encoder, found: str | None, settings: ModelSettings) -> None:
    own = str(encoder.model.config.model_type)
    if module.model_type != own:
        problem = f"a {module.model_type}, but {settings.id} is a {own}"
    elif module.base_sha256 and found and module.base_sha256 != found:
        problem = (
            f"weights {module.base_sha256[:12]} of {module.base_id}, but {settings.id} has weights {found[:12]}"
        )
    elif not (module.base_sha256 and found) and module.base_id != encoder.base_id:
        problem = f"{module.base_id}, not on {settings.id}"
    else:
        return
    raise PackageError(
        f"intermediate.package: {module.title} was trained on {problem}; set model.id to what it was trained on, "
        "or take another package"
    )


def _remarks(module: GivenModule, settings: ModelSettings) -> list[str]:
    """Differences that a module survives, at a price."""
    stored = {"quantize": module.quantize, "embeddings": module.embeddings}
    return [
        f"the package was trained with model.{key} {value}, and not {now}: it may do worse here"
        for key, value in stored.items()
        if (now := getattr(settings, key)) != value
    ]


def _place(name: str, module: GivenModule, folder: RunFolder, remarks: list[str]) -> None:
    summary = {**module.summary, "phase": name, "remarks": remarks}

    def fill(temporary: Path) -> None:
        module.write(name, temporary)
        (temporary / "phase.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")

    write_folder(folder.phase(name) / "module", fill)
