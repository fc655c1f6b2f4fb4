"""The manifest of a phase's package, by what its run says of it."""

import re
from pathlib import Path
from typing import Any

from lowres_stilts.hub.manifest import Base, Below, Manifest, Origin, Source, TaskPart
from lowres_stilts.names import slug
from lowres_stilts.pipeline.folder import RunFolder
from lowres_stilts.pipeline.modes import MODES
from lowres_stilts.pipeline.names import BASELINE, LANGUAGE, TARGET, intermediate_names
from lowres_stilts.recipe.phases import package_title
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.recipe.training import TrainSettings
from lowres_stilts.sums import sha256_of
from lowres_stilts.tasks.load import find_task
from lowres_stilts.tasks.task import Task


def described(results: dict[str, Any], summary: dict[str, Any], *, stack: list[Below], **own: Any) -> Manifest:
    """What all kinds of packages say of themselves, and what is a kind's own.

    Args:
        results: of the run.
        summary: of the phase.
        stack: the modules that it is made of.
        own: further parts of the manifest.
    """
    phase: str = summary["phase"]
    is_target = phase == TARGET
    recipe = Recipe.stored(results["recipe"], "results.json")
    return Manifest(
        format=1,
        name=_name(results["recipe"]["name"], phase),
        kind=summary["kind"],
        phase=phase,
        base=_base(results["model"]),
        head=summary["head"],
        tasks=_tasks(recipe, summary),
        stack=stack,
        before=_before(results, recipe, summary, stack),
        **_origins(results, summary),
        data_sha256=summary["data_sha256"],
        **_trained(results["recipe"], summary),
        scores=results["scores"] if is_target else {},
        baseline=results.get("baseline", {}) if is_target else {},
        **({"chance": results["chance"]} if is_target and "chance" in results else {}),
        evaluation=results["evaluation"] if is_target else {},
        recipe=_shareable(results["recipe"]),
        versions=results["versions"],
        **own,
    )


def _trained(recipe: dict[str, Any], summary: dict[str, Any]) -> dict[str, Any]:
    """Only what is known, so that no other key is written."""
    counted = () if "merged" in summary else ("updates", "best_update")
    told = {"licence": recipe.get("licence"), **{key: summary.get(key) for key in counted}}
    return {key: value for key, value in told.items() if value is not None}


def made_of(run: RunFolder, summary: dict[str, Any], weights: str) -> list[Below]:
    """The modules that a phase stood on or was merged of, by the hash of their file of this name."""
    merged: dict[str, float] = summary.get("merged", {}).get("weights", {})
    names = [*summary["below"], *(name for name, weight in merged.items() if weight)]
    return [Below(phase=name, sha256=sha256_of(run.phase(name) / "module" / weights)) for name in names]


def _before(results: dict[str, Any], recipe: Recipe, summary: dict[str, Any], stack: list[Below]) -> list[Source]:
    """The data of the phases whose modules a phase stood on, went on from or was merged of."""
    names = {part.phase for part in stack} - {BASELINE}
    if summary["phase"] == TARGET and MODES[recipe.target.transfer].continues:
        names |= set(intermediate_names(recipe))
    phases = [told for told in results["phases"] if told["phase"] in names]
    own = [
        Source(
            phase=told["phase"],
            task=task,
            licence=data["licence"] if "package" in told else find_task(task, recipe.tasks, "tasks").licence,
            examples=data["examples"],
            languages=data.get("languages") or {},
        )
        for told in phases
        for task, data in told["tasks"].items()
    ]
    return own + [
        Source(**{**source, "phase": told["phase"]}) for told in phases for source in told.get("before", ())
    ]


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
            labels=summary["tasks"][name]["labels"],
            metric=task.metric,
            max_length=settings.max_length or task.max_length,
            licence=task.licence,
            **_data(summary["tasks"][name]),
        )
        for name, task in tasks.items()
    ]


def _data(told: dict[str, Any]) -> dict[str, Any]:
    """Sizes and dev score of a task, as its phase's summary has them; those of older runs lack some."""
    known = ("examples", "languages", "dev_score", "dev_examples", "dev_chance")
    return {key: told[key] for key in known if key in told}


def _texts(task: Task) -> dict[str, Any]:
    """Left out where there is nothing to say, so that the key is not written."""
    return {} if task.texts is None else {"texts": task.texts}


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
