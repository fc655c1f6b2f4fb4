"""The phases of a run's two arms, by the recipe's transfer mode."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lowres_stilts.modules.network import Network
from lowres_stilts.pipeline.material import Material, TrainingSet
from lowres_stilts.pipeline.merge import run_merge
from lowres_stilts.pipeline.phase import Bench, Phase, run_phase
from lowres_stilts.recipe.schema import IntermediateSettings, ModuleSettings, Recipe

INTERMEDIATE, TARGET, BASELINE = "1-intermediate", "2-target", "2-target-baseline"
"""Folders of the phases; several intermediate modules have a number and their task's name behind."""


LANGUAGE = "0-language"
"""Of language adapters, with the code behind."""


@dataclass(frozen=True)
class Trained:
    """What an arm predicts with."""

    network: Network | None
    """None where the target is not trained: retrieval compares hidden states."""
    active: tuple[str, ...]
    """Modules from the bottom up."""


def train_system(recipe: Recipe, material: Material, bench: Bench, summaries: list[dict[str, Any]]) -> Trained:
    """Intermediate phases and target phase; adds what each cost to the summaries.

    Raises:
        TrainingError: training fails.
        RunError: something cannot be written.
    """
    mode = recipe.target.transfer
    ground = _ground(recipe)
    below = ground
    if recipe.intermediate is not None and material.intermediate:
        phases = _intermediate(recipe.intermediate, material.intermediate, ground, apart=mode in {"fuse", "merge"})
        summaries.extend(run_phase(phase, bench)[1] for phase in phases)
        below = (*ground, *(phase.name for phase in phases))
    if material.target_set is None:
        return Trained(None, below)
    if mode == "merge":
        return _merged(recipe, material.target_set, bench, below[len(ground) :], summaries)
    start_from = bench.folder.phase(INTERMEDIATE) / "module" if mode == "continue" else None
    phase = Phase(
        TARGET,
        below=ground if mode == "continue" else below,
        start_from=start_from,
        settings=_target_module(recipe),
        train=recipe.target.train,
        data=(material.target_set,),
        fuse=recipe.target.fuse if mode == "fuse" else None,
    )
    network, summary = run_phase(phase, bench)
    summaries.append(summary)
    return Trained(network, phase.active)


def train_baseline(
    recipe: Recipe, material: Material, bench: Bench, summaries: list[dict[str, Any]], system: Trained
) -> Trained:
    """The target phase alone, or the bare encoder for retrieval; where modules are merged, it is trained already.

    Raises:
        TrainingError: training fails.
        RunError: something cannot be written.
    """
    if material.target_set is None:
        return Trained(None, _ground(recipe))
    if recipe.target.transfer == "merge":
        return Trained(system.network, (*_ground(recipe), BASELINE))
    network, summary = run_phase(_alone(recipe, material.target_set), bench)
    summaries.append(summary)
    return Trained(network, (*_ground(recipe), BASELINE))


def train_languages(recipe: Recipe, material: Material, bench: Bench, summaries: list[dict[str, Any]]) -> None:
    """A language adapter for every language that has text; both arms stand on the English one.

    Raises:
        TrainingError: training fails.
        RunError: something cannot be written.
    """
    if recipe.languages is None:
        return
    for language, data in material.languages.items():
        name = f"{LANGUAGE}-{language}"
        settings = recipe.languages
        phase = Phase(name, (), None, settings.module, settings.train, (data,), section="languages")
        summaries.append(run_phase(phase, bench)[1])


def in_language(recipe: Recipe, active: tuple[str, ...], language: str) -> tuple[str, ...]:
    """The modules with the adapter of a language in the place of the English one, where there is one."""
    if recipe.languages is None or language not in recipe.languages.adapters:
        return active
    return (f"{LANGUAGE}-{language}", *active[1:])


def _ground(recipe: Recipe) -> tuple[str, ...]:
    """What both phases stand on."""
    return (f"{LANGUAGE}-en",) if recipe.languages is not None else ()


def _alone(recipe: Recipe, data: TrainingSet) -> Phase:
    return Phase(BASELINE, _ground(recipe), None, _target_module(recipe), recipe.target.train, (data,))


def _target_module(recipe: Recipe) -> ModuleSettings:
    """What the target phase trains; `continue` trains the intermediate module on."""
    if recipe.target.transfer == "continue" and recipe.intermediate is not None:
        return recipe.intermediate.module
    return recipe.target.module


def _merged(
    recipe: Recipe, data: TrainingSet, bench: Bench, below: Sequence[str], summaries: list[dict[str, Any]]
) -> Trained:
    alone = _alone(recipe, data)
    network, summary = run_phase(alone, bench)
    summaries.append(summary)
    summaries.append(run_merge(TARGET, alone, below, recipe.target.merge, bench, network))
    return Trained(network, (*alone.below, TARGET))


def _intermediate(
    settings: IntermediateSettings, sets: tuple[TrainingSet, ...], ground: tuple[str, ...], *, apart: bool
) -> list[Phase]:
    groups = [(each,) for each in sets] if apart else [sets]
    names = [_numbered(*numbered) for numbered in enumerate(sets, start=1)] if apart else [INTERMEDIATE]
    return [
        Phase(name, ground, None, settings.module, settings.train, data, section="intermediate")
        for name, data in zip(names, groups, strict=True)
    ]


def _numbered(number: int, each: TrainingSet) -> str:
    return f"{INTERMEDIATE}-{number}-{re.sub(r'[^A-Za-z0-9]+', '-', each.task.name).strip('-')}"
