"""Fits a recipe to a memory: which part of a batch is computed at once, and which layers compute twice."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from transformers import PretrainedConfig

from lowres_stilts.pipeline.choice import Choice
from lowres_stilts.pipeline.estimate import CHOICES, Held, PlannedPhase, Thought
from lowres_stilts.pipeline.hardware import Place
from lowres_stilts.pipeline.hyperparameters import batch_of
from lowres_stilts.pipeline.modes import MODES
from lowres_stilts.pipeline.names import TARGET, intermediate_names, language_name, target_module
from lowres_stilts.pipeline.phase import Phase
from lowres_stilts.recipe.module import ModuleSettings
from lowres_stilts.recipe.phases import LanguageSettings
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.recipe.training import TrainSettings
from lowres_stilts.tasks.load import find_task

SMALLEST_PART = 1024
"""Tokens; smaller parts leave a device idle, so activations are computed twice before batches are cut further."""


def planned_phases(recipe: Recipe) -> Iterator[PlannedPhase]:
    """The phases that a recipe trains; the baseline takes no more than the target."""
    ground: tuple[Phase, ...] = ()
    beside: tuple[Phase, ...] = ()
    if recipe.languages is not None:
        ground, beside = _languages(recipe.languages)
        yield PlannedPhase("languages", ground, (find_task("mlm", {}, "languages"),), beside)
    below = ground
    mode, first = recipe.target.transfer, recipe.intermediate
    if first is not None and mode != "none":
        tasks = tuple(find_task(name, recipe.tasks, "intermediate.tasks") for name in first.tasks)
        phases = tuple(_phase(name, first.module, first.train) for name in intermediate_names(recipe))
        if tasks:  # a package is trained already
            yield PlannedPhase("intermediate", (*ground, phases[0]), tasks, beside)
        below = (*ground, *phases)
    target = find_task(recipe.target.task, recipe.tasks, "target.task")
    if target.family == "retrieval":
        return
    stood_on = ground if MODES[mode].stands_apart else below
    own = _phase(TARGET, target_module(recipe), recipe.target.train, tuple(phase.name for phase in stood_on))
    if mode == "fuse":
        own = replace(own, fuse=recipe.target.fuse)
    yield PlannedPhase("target", (*stood_on, own), (target,), beside)


def _languages(settings: LanguageSettings) -> tuple[tuple[Phase, ...], tuple[Phase, ...]]:
    """The English adapter, over which phases train, and those of the other languages."""
    phases = {
        name: _phase(language_name(name), settings.module, settings.train) for name in sorted(settings.adapters)
    }
    return (phases.pop("en"),), tuple(phases.values())


def fit_recipe(recipe: Recipe, config: PretrainedConfig, place: Place, *, unfitted: bool = True) -> list[Choice]:
    """What to compute at once in each phase, by what the place's memory holds.

    Args:
        recipe: its batches and settings; a part of a batch that it sets is kept.
        config: of the encoder.
        place: what device, and how much memory.
        unfitted: weigh phases with `train.fit: false` too, which stay as they are.

    Raises:
        TrainingError: a module does not fit the encoder.
    """
    phases = (planned for planned in planned_phases(recipe) if unfitted or planned.phases[-1].train.fit)
    return [_fit(recipe, config, planned, place) for planned in phases]


@dataclass(frozen=True)
class Plan:
    """What a whole run takes."""

    choices: list[Choice]
    """Of its phases."""
    peak_bytes: int
    """Most memory in use from its start to its end."""
    fits: bool


def plan_recipe(recipe: Recipe, config: PretrainedConfig, place: Place) -> Plan:
    """What to compute at once in each phase, and what the whole run takes, the search of pools too.

    Args:
        recipe: its batches and settings.
        config: of the encoder.
        place: what device, and how much memory.

    Raises:
        TrainingError: a module does not fit the encoder.
    """
    choices = fit_recipe(recipe, config, place)
    peaks = [choice.peak_bytes for choice in choices]
    if "target" not in {choice.section for choice in choices}:
        peaks.append(peak_bytes(recipe, config, place, "target"))
    return Plan(choices, max(peaks), fits=max(peaks) <= place.budget)


def peak_bytes(recipe: Recipe, config: PretrainedConfig, place: Place, section: str) -> int:
    """Most memory in use while a section of a recipe is trained, or while pools are searched where it is not.

    Args:
        recipe: its batches and settings.
        config: of the encoder.
        place: what device, and how much memory.
        section: `languages`, `intermediate` or `target`.

    Raises:
        TrainingError: a module does not fit the encoder.
    """
    for planned in planned_phases(recipe):
        if planned.section == section:
            return _fit(recipe, config, planned, place).peak_bytes
    # Modules are small, and without their optimizer they are left out.
    target = find_task(recipe.target.task, recipe.tasks, "target.task")
    any_module = PlannedPhase(section, (_phase(TARGET, recipe.target.module, recipe.target.train),), ())
    thought = Thought(config, recipe.model, any_module, cuda=place.cuda)
    length = min(target.max_length, _positions(config))
    sequences = max(1, recipe.evaluate.tokens_per_batch // length)
    work = thought.look(sequences, length, every_layer=True).bytes
    return place.peak(Held(thought.held.weights, 0, 0), work, config, packed=False)


def _fit(recipe: Recipe, config: PretrainedConfig, planned: PlannedPhase, place: Place) -> Choice:
    """The first candidate that fits, or else the smallest."""
    weigh = _Scales(recipe, config, planned, place)
    candidates = list(_candidates(planned.phases[-1].train, weigh.least))
    first = weigh.choice(*candidates[0])
    smallest = first if first.fits or len(candidates) == 1 else weigh.choice(*candidates[-1])
    if first.fits or not smallest.fits:
        return first if first.fits else smallest
    between = (weigh.choice(*candidate) for candidate in candidates[1:-1])
    return next((choice for choice in between if choice.fits), smallest)


class _Scales:
    """Weighs ways to compute the batches of a phase."""

    def __init__(self, recipe: Recipe, config: PretrainedConfig, planned: PlannedPhase, place: Place) -> None:
        self._config, self._place, self._section = config, place, planned.section
        self._train = planned.phases[-1].train
        self._thought = Thought(config, recipe.model, planned, cuda=place.cuda)
        asked = max(self._train.max_length or task.max_length for task in planned.tasks)
        self._length = min(asked, _positions(config))
        self.least = self._length * max(
            CHOICES if task.family == "multiple_choice" else 1 for task in planned.tasks
        )
        looked_at = max(1, recipe.evaluate.tokens_per_batch // self._length)
        self._look = self._thought.look(looked_at, self._length).bytes

    def choice(self, tokens: int, checkpointing: bool | int) -> Choice:
        """What it takes to compute so many tokens at once."""
        held, sequences = self._thought.held, max(1, tokens // self._length)
        cost = self._thought.step(sequences, self._length, checkpointing)
        work = max(cost.bytes, self._look, 0 if self._place.cuda else held.checkpoint)
        peak = self._place.peak(held, work, self._config, packed=bool(checkpointing))
        batches = batch_of(self._train) / (sequences * self._length)
        return Choice(
            section=self._section,
            tokens_per_batch=batch_of(self._train),
            tokens_at_once=tokens,
            gradient_checkpointing=checkpointing,
            length=self._length,
            peak_bytes=peak,
            weight_bytes=held.weights,
            work_bytes=work,
            flops=round(cost.flops * batches),
            trainable=held.trainable,
            fits=peak <= self._place.budget,
        )


def _candidates(train: TrainSettings, least: int) -> Iterator[tuple[int, bool | int]]:
    """What to try, the fastest first: whole batches, parts, parts that compute activations twice."""
    whole = max(batch_of(train), least)
    if train.tokens_at_once is not None or not train.fit:
        yield min(whole, train.tokens_at_once or whole), train.gradient_checkpointing
        return
    sizes = [whole]
    while sizes[-1] > least:
        sizes.append(max(least, sizes[-1] // 2))
    if not train.gradient_checkpointing:
        yield from ((size, False) for size in sizes if size in {whole, least} or size >= SMALLEST_PART)
    yield from ((size, train.gradient_checkpointing or True) for size in sizes)


def _positions(config: PretrainedConfig) -> int:
    offset = 0 if config.model_type == "bert" else int(config.pad_token_id) + 1
    return int(config.max_position_embeddings) - offset


def _phase(name: str, module: ModuleSettings, train: TrainSettings, below: tuple[str, ...] = ()) -> Phase:
    return Phase(name, below, None, module, train, ())


def advice(recipe: Recipe, config: PretrainedConfig, place: Place) -> list[str]:
    """Single changes of a recipe that does not fit, each of which makes it fit."""
    return [
        name
        for name, changed in _changes(recipe, config, place)
        if all(choice.fits for choice in fit_recipe(changed, config, place))
    ] or ["a smaller encoder, or several changes at once: no single one is enough"]


def _changes(recipe: Recipe, config: PretrainedConfig, place: Place) -> Iterator[tuple[str, Recipe]]:
    for key, value in {"quantize": "nf4", "embeddings": "nf4", "compute": "bf16"}.items():
        if getattr(recipe.model, key) != value:
            yield f"model.{key}: {value}", _with_model(recipe, **{key: value})
    if place.cuda and not recipe.model.offload_embeddings:
        yield "model.offload_embeddings: true", _with_model(recipe, offload_embeddings=True)
    layers = int(config.num_hidden_layers)
    upper = f"{layers // 2}-{layers - 1}"
    yield f"module.layers: {upper}, in both phases", _everywhere(recipe, "module", layers=upper)
    for length in (128, 64):
        if length < longest_sequence(recipe):
            yield f"train.max_length: {length}, in both phases", _everywhere(recipe, "train", max_length=length)
    if any(phase.phases[-1].train.tokens_at_once for phase in planned_phases(recipe)):
        yield (
            "train.tokens_at_once: unset, so that it is chosen",
            _everywhere(recipe, "train", tokens_at_once=None),
        )


def longest_sequence(recipe: Recipe) -> int:
    """Most tokens of a sequence in any phase."""
    lengths = [
        planned.phases[-1].train.max_length or max(task.max_length for task in planned.tasks)
        for planned in planned_phases(recipe)
    ]
    return max(lengths, default=0)


def _with_model(recipe: Recipe, **changes: Any) -> Recipe:
    return recipe.model_copy(update={"model": recipe.model.model_copy(update=changes)})


def _everywhere(recipe: Recipe, part: str, **changes: Any) -> Recipe:
    """The recipe with a change of the module or the training of every phase."""
    sections: Mapping[str, Any] = {
        name: getattr(recipe, name) for name in ("languages", "intermediate", "target") if getattr(recipe, name)
    }
    return recipe.model_copy(
        update={
            name: section.model_copy(update={part: getattr(section, part).model_copy(update=changes)})
            for name, section in sections.items()
        }
    )
