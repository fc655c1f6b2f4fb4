"""The phases of a run's two arms, by the recipe's transfer mode."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lowres_stilts.modules.network import Network
from lowres_stilts.pipeline.kept_head import TrainedHead, head_to_keep, heads_of
from lowres_stilts.pipeline.material import Material
from lowres_stilts.pipeline.merge import run_merge
from lowres_stilts.pipeline.modes import MODES
from lowres_stilts.pipeline.names import (
    BASELINE,
    TARGET,
    intermediate_names,
    language_name,
    target_module,
)
from lowres_stilts.pipeline.phase import Bench, Phase, run_phase
from lowres_stilts.pipeline.training_set import TrainingSet
from lowres_stilts.recipe.phases import FuseSettings
from lowres_stilts.recipe.schema import Recipe


@dataclass(frozen=True)
class Trained:
    """What an arm predicts with."""

    network: Network | None
    """None where the target is not trained: retrieval compares hidden states."""
    active: tuple[str, ...]
    """Modules from the bottom up."""


@dataclass(frozen=True)
class TargetWork:
    """What a transfer mode works with."""

    recipe: Recipe
    data: TrainingSet
    bench: Bench
    ground: tuple[str, ...]
    """The English language adapter, where there is one."""
    below: tuple[str, ...]
    """The intermediate modules, which are in the stack."""
    summaries: list[dict[str, Any]]
    """What each phase cost."""

    def phase(
        self, *, below: tuple[str, ...], start_from: Path | None = None, fuse: FuseSettings | None = None
    ) -> Phase:
        """The target phase, as the recipe describes it, on top of these modules."""
        train = self.recipe.target.train
        return Phase(
            TARGET,
            below,
            start_from,
            target_module(self.recipe),
            train,
            (self.data,),
            fuse,
            head_from=self._head(),
        )

    def _head(self) -> TrainedHead | None:
        if self.recipe.target.head == "new":
            return None
        folders = (self.bench.folder.phase(name) / "module" for name in self.below)
        summaries = [json.loads((folder / "phase.json").read_text(encoding="utf-8")) for folder in folders]
        heads = [head for summary in summaries for head in heads_of(summary)]
        return head_to_keep(self.data.task, self.recipe.model.head, heads)

    def run(self, phase: Phase) -> Trained:
        """Trains a phase, or loads it where it is done.

        Raises:
            TrainingError: training fails.
            RunError: something cannot be written.
        """
        network, summary = run_phase(phase, self.bench)
        self.summaries.append(summary)
        return Trained(network, phase.active)


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
    ground, below = _ground(recipe), tuple(intermediate_names(recipe))
    if data is None:
        return Trained(None, (*ground, *below))
    work = TargetWork(recipe, data, bench, ground, below, summaries)
    return MODES[recipe.target.transfer].train(work)


def stack_target(work: TargetWork) -> Trained:
    """A new module over all that are there."""
    return work.run(work.phase(below=(*work.ground, *work.below)))


def continue_target(work: TargetWork) -> Trained:
    """The intermediate module, trained on."""
    start = work.bench.folder.phase(work.below[0]) / "module"
    return work.run(work.phase(below=work.ground, start_from=start))


def fuse_target(work: TargetWork) -> Trained:
    """A new module, and weights for those of the intermediate tasks."""
    return work.run(work.phase(below=(*work.ground, *work.below), fuse=work.recipe.target.fuse))


def merge_target(work: TargetWork) -> Trained:
    """The target alone, and then all modules as one."""
    alone = _alone(work.recipe, work.data)
    network, summary = run_phase(alone, work.bench)
    merged = run_merge(TARGET, alone, work.below, work.recipe.target.merge, work.bench, network)
    work.summaries.extend((summary, merged))
    return Trained(network, (*alone.below, TARGET))


def train_baseline(
    recipe: Recipe, material: Material, bench: Bench, summaries: list[dict[str, Any]], system: Trained
) -> Trained:
    """The target phase alone, or the bare encoder for retrieval; some modes train it on their way.

    Raises:
        TrainingError: training fails.
        RunError: something cannot be written.
    """
    if material.target_set is None:
        return Trained(None, _ground(recipe))
    if MODES[recipe.target.transfer].trains_baseline:
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
        Phase(language_name(language), (), None, settings.module, settings.train, (data,), section="languages")
        for language, data in texts.items()
    ]


def intermediate_phases(recipe: Recipe, sets: Sequence[TrainingSet]) -> list[Phase]:
    """One phase for all intermediate tasks, or one for each where their modules are fused or merged.

    The phase of a package is done before it begins.
    """
    if recipe.intermediate is None or not (sets or recipe.intermediate.package):
        return []
    settings, names = recipe.intermediate, intermediate_names(recipe)
    if settings.package:
        return [
            Phase(name, (), None, settings.module, settings.train, (), section="intermediate") for name in names
        ]
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
    for name in [*map(language_name, languages), *intermediate_names(recipe)]:
        bench.stack.load(name, bench.folder.phase(name) / "module")


def in_language(recipe: Recipe, active: tuple[str, ...], language: str) -> tuple[str, ...]:
    """The modules with the adapter of a language in the place of the English one, where there is one."""
    if recipe.languages is None or language not in recipe.languages.adapters:
        return active
    return (language_name(language), *active[1:])


def _ground(recipe: Recipe) -> tuple[str, ...]:
    """What both phases stand on."""
    return (language_name("en"),) if recipe.languages is not None else ()


def _alone(recipe: Recipe, data: TrainingSet) -> Phase:
    return Phase(BASELINE, _ground(recipe), None, target_module(recipe), recipe.target.train, (data,))
