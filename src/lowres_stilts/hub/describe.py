"""The manifest of a phase's package, by what its run says of it."""

import re
from pathlib import Path
from typing import Any

from lowres_stilts.evaluation.transfer import ENGLISH_CODES
from lowres_stilts.hub.manifest import Base, Below, Manifest, Origin, TaskPart
from lowres_stilts.names import slug
from lowres_stilts.pipeline.folder import RunFolder
from lowres_stilts.pipeline.names import LANGUAGE, TARGET
from lowres_stilts.recipe.phases import package_title
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.recipe.training import TrainSettings
from lowres_stilts.sums import sha256_of
from lowres_stilts.tasks.load import find_task
from lowres_stilts.tasks.task import Task


def described(results: dict[str, Any], summary: dict[str, Any], **own: Any) -> Manifest:
    """What all kinds of packages say of themselves, and what is a kind's own.

    Args:
        results: of the run.
        summary: of the phase.
        own: further parts of the manifest.
    """
    phase: str = summary["phase"]
    is_target = phase == TARGET
    return Manifest(
        format=1,
        name=_name(results["recipe"]["name"], phase),
        kind=summary["kind"],
        phase=phase,
        base=_base(results["model"]),
        head=summary["head"],
        tasks=_tasks(Recipe.stored(results["recipe"], "results.json"), summary),
        **_origins(results, summary),
        data_sha256=summary["data_sha256"],
        scores=results["scores"] if is_target else {},
        baseline=results.get("baseline", {}) if is_target else {},
        evaluation=results["evaluation"] if is_target else {},
        recipe=_shareable(results["recipe"]),
        versions=results["versions"],
        **own,
    )


def made_of(run: RunFolder, summary: dict[str, Any], weights: str) -> list[Below]:
    """The modules that a phase stood on or was merged of, by the hash of their file of this name."""
    merged: dict[str, float] = summary.get("merged", {}).get("weights", {})
    names = [*summary["below"], *(name for name, weight in merged.items() if weight)]
    return [Below(phase=name, sha256=sha256_of(run.phase(name) / "module" / weights)) for name in names]


def _origins(results: dict[str, Any], summary: dict[str, Any]) -> dict[str, list[Origin]]:
    """The packages that a phase stood on, went on with or was merged of; no key where there is none."""
    merged = summary.get("merged", {}).get("weights")
    found = [
        Origin(phase=other["phase"], **other["package"])
        for other in results["phases"]
        if "package" in other and summary["phase"] == TARGET and (not merged or merged.get(other["phase"]))
    ]
    return {"packages": found} if found else {}


def _base(model: dict[str, Any]) -> Base:
    return Base(
        id=model["base_id"],
        sha256=model["weights_sha256"],
        model_type=model["model_type"],
        quantize=model["quantize"],
        embeddings=model["embeddings"],
        compute=model["compute"],
    )


def _tasks(recipe: Recipe, summary: dict[str, Any]) -> list[TaskPart]:
    settings = _settings(recipe, summary["phase"])
    tasks = {name: find_task(name, recipe.tasks, "tasks") for name in summary["tasks"]}
    return [
        TaskPart(
            name=name,
            family=task.family,
            **_texts(task),
            **_languages(summary["tasks"][name].get("languages", [])),
            labels=summary["tasks"][name]["labels"],
            metric=task.metric,
            max_length=settings.max_length or task.max_length,
            licence=task.licence,
            examples=summary["tasks"][name]["examples"],
            dev_score=summary["tasks"][name]["dev_score"],
        )
        for name, task in tasks.items()
    ]


def _texts(task: Task) -> dict[str, Any]:
    """Left out where there is nothing to say, so that the key is not written."""
    return {} if task.texts is None else {"texts": task.texts}


def _languages(found: list[str]) -> dict[str, Any]:
    """Left out where they are English alone."""
    return {} if ENGLISH_CODES.issuperset(found) else {"languages": found}


def _settings(recipe: Recipe, phase: str) -> TrainSettings:
    if phase.startswith(LANGUAGE) and recipe.languages is not None:
        return recipe.languages.train
    if phase == TARGET or recipe.intermediate is None:
        return recipe.target.train
    return recipe.intermediate.train


def _name(recipe: str, phase: str) -> str:
    cleaned = slug(recipe, "._-") or "module"
    return cleaned if phase == TARGET else f"{cleaned}-{re.sub('^[01]-', '', phase)}"


def _shareable(recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe without paths of the machine that it ran on."""
    data = {**recipe["data"], "dir": "data" if recipe["data"].get("dir") else None}
    model = recipe["model"]
    if Path(model["id"]).is_absolute():
        model = {**model, "id": Path(model["id"]).name}
    first = recipe["intermediate"]
    if first and first.get("package"):
        packages = [{**package, "id": package_title(package["id"])} for package in first["package"]]
        first = {**first, "package": packages}
    return {**recipe, "data": data, "model": model, "intermediate": first}
