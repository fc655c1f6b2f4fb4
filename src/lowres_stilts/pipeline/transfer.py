"""The phases of a run's two arms, by the recipe's transfer mode."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lowres_stilts.modules.network import Network
from lowres_stilts.pipeline.material import Material, TrainingSet
from lowres_stilts.pipeline.merge import run_merge
from lowres_stilts.pipeline.names import (
    BASELINE,
    INTERMEDIATE,
    LANGUAGE,
    TARGET,
    intermediate_names,
    target_module,
)
from lowres_stilts.pipeline.phase import Bench, Phase, run_phase
from lowres_stilts.recipe.schema import Recipe


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
    phases = intermediate_phases(recipe, material.intermediate)
    summaries.extend(run_phase(phase, bench)[1] for phase in phases)
    return train_target(recipe, material.target_set, bench, summaries)


def train_target(
    recipe: Recipe, data: TrainingSet | None, bench: Bench, summaries: list[dict[str, Any]]
) -> Trained:
    """The target phase over the intermediate modules, which are in the stack; nothing is trained for retrieval.

    Raises:
        TrainingError: training fails.
        RunError: something cannot be written.
    """
    mode, ground = recipe.target.transfer, _ground(recipe)
    below = (*ground, *intermediate_names(recipe))
    if data is None:
        return Trained(None, below)
    if mode == "merge":
        return _merged(recipe, data, bench, below[len(ground) :], summaries)
    start_from = bench.folder.phase(INTERMEDIATE) / "module" if mode == "continue" else None
    phase = Phase(
        TARGET,
        below=ground if mode == "continue" else below,
        start_from=start_from,
        settings=target_module(recipe),
        train=recipe.target.train,
        data=(data,),
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
    summaries.extend(run_phase(phase, bench)[1] for phase in language_phases(recipe, material.languages))


def language_phases(recipe: Recipe, texts: Mapping[str, TrainingSet]) -> list[Phase]:
    """A phase for every language that has text."""
    if recipe.languages is None:
        return []
    settings = recipe.languages
    return [
        Phase(f"{LANGUAGE}-{language}", (), None, settings.module, settings.train, (data,), section="languages")
        for language, data in texts.items()
    ]


def intermediate_phases(recipe: Recipe, sets: Sequence[TrainingSet]) -> list[Phase]:
    """One phase for all intermediate tasks, or one for each where their modules are fused or merged."""
    if recipe.intermediate is None or not sets:
        return []
    settings, names = recipe.intermediate, intermediate_names(recipe)
    groups = [(each,) for each in sets] if len(names) == len(sets) else [tuple(sets)]
    return [
        Phase(name, _ground(recipe), None, settings.module, settings.train, data, section="intermediate")
        for name, data in zip(names, groups, strict=True)
    ]


def load_first_phases(recipe: Recipe, bench: Bench) -> None:
    """Puts the finished modules below the target phase into the stack.

    Raises:
        TrainingError: one is not there.
    """
    languages = recipe.languages.adapters if recipe.languages else []
    for name in [*(f"{LANGUAGE}-{language}" for language in languages), *intermediate_names(recipe)]:
        bench.stack.load(name, bench.folder.phase(name) / "module")


def in_language(recipe: Recipe, active: tuple[str, ...], language: str) -> tuple[str, ...]:
    """The modules with the adapter of a language in the place of the English one, where there is one."""
    if recipe.languages is None or language not in recipe.languages.adapters:
        return active
    return (f"{LANGUAGE}-{language}", *active[1:])


def _ground(recipe: Recipe) -> tuple[str, ...]:
    """What both phases stand on."""
    return (f"{LANGUAGE}-en",) if recipe.languages is not None else ()


def _alone(recipe: Recipe, data: TrainingSet) -> Phase:
    return Phase(BASELINE, _ground(recipe), None, target_module(recipe), recipe.target.train, (data,))


def _merged(
    recipe: Recipe, data: TrainingSet, bench: Bench, below: Sequence[str], summaries: list[dict[str, Any]]
) -> Trained:
    alone = _alone(recipe, data)
    network, summary = run_phase(alone, bench)
    summaries.append(summary)
    summaries.append(run_merge(TARGET, alone, below, recipe.target.merge, bench, network))
    return Trained(network, (*alone.below, TARGET))
