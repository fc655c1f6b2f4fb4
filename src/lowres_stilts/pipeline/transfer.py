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
    below: tuple[str, ...] = ()
    if recipe.intermediate is not None and material.intermediate:
        phases = _intermediate(recipe.intermediate, material.intermediate, apart=mode in {"fuse", "merge"})
        summaries.extend(run_phase(phase, bench)[1] for phase in phases)
        below = tuple(phase.name for phase in phases)
    if material.target_set is None:
        return Trained(None, below)
    if mode == "merge":
        return _merged(recipe, material.target_set, bench, below, summaries)
    start_from = bench.folder.phase(INTERMEDIATE) / "module" if mode == "continue" else None
    phase = Phase(
        TARGET,
        below=() if mode == "continue" else below,
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
        return Trained(None, ())
    if recipe.target.transfer == "merge":
        return Trained(system.network, (BASELINE,))
    network, summary = run_phase(_alone(recipe, material.target_set), bench)
    summaries.append(summary)
    return Trained(network, (BASELINE,))


def _alone(recipe: Recipe, data: TrainingSet) -> Phase:
    return Phase(BASELINE, (), None, _target_module(recipe), recipe.target.train, (data,))


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
    return Trained(network, (TARGET,))


def _intermediate(settings: IntermediateSettings, sets: tuple[TrainingSet, ...], *, apart: bool) -> list[Phase]:
    groups = [(each,) for each in sets] if apart else [sets]
    names = [_numbered(*numbered) for numbered in enumerate(sets, start=1)] if apart else [INTERMEDIATE]
    return [
        Phase(name, (), None, settings.module, settings.train, data)
        for name, data in zip(names, groups, strict=True)
    ]


def _numbered(number: int, each: TrainingSet) -> str:
    return f"{INTERMEDIATE}-{number}-{re.sub(r'[^A-Za-z0-9]+', '-', each.task.name).strip('-')}"
