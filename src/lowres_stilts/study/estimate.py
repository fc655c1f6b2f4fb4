"""What a study would do, about how long it would take, and how much memory."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from lowres_stilts.errors import LowresStiltsError
from lowres_stilts.pipeline.hyperparameters import WIDTH, Amount, choose
from lowres_stilts.pipeline.identity import lenient_source
from lowres_stilts.pipeline.training_set import DEFAULT_HOLDOUT
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.recipe.training import TrainSettings
from lowres_stilts.study.folder import StudyFolder
from lowres_stilts.study.load import Setting
from lowres_stilts.study.plan import Step, make_plan
from lowres_stilts.study.run import is_done
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.tasks.load import find_task
from lowres_stilts.tasks.task import Split, Task

SAMPLE = 40
"""Examples whose tokens are counted."""
CPU_FLOPS, GPU_FLOPS = 0.1e12, 30e12
"""Of one worker, in training: of a core with AMX, measured on the starter; of a GPU, a guess."""
SECONDS_PER_STEP = 4.0
"""Reading data, copying the encoder, writing."""
GB = 10**9
START = 25.0
"""Until workers have imported torch and loaded their encoder."""


def estimate_plan(recipes: Mapping[Setting, Recipe], path: Path, workers: int | None = None) -> dict[str, Any]:
    """The plan of a study with estimates: cells, steps, seconds, and bytes of memory at most.

    Args:
        recipes: those of its cells.
        path: the study folder, where what is done already may be.
        workers: how many at once; as many as the machine has GPUs, or cores.
    """
    from lowres_stilts.study.engines import cores, gpus  # noqa: PLC0415

    # The planner builds encoders of torch and PEFT, which take seconds to import.
    from lowres_stilts.study.memory import Scales  # noqa: PLC0415

    plan, folder, count = make_plan(recipes), StudyFolder(path), gpus()
    estimator = Estimator(GPU_FLOPS if count else CPU_FLOPS)
    scales = Scales()
    steps = [_told(step, folder, estimator, scales.peak_bytes(step)) for step in plan.steps.values()]
    open_ = [step for step in steps if not step["done"]]
    known = [step["seconds"] for step in open_ if step["seconds"] is not None]
    peaks = [step["peak_bytes"] for step in open_ if step["peak_bytes"] is not None]
    at_once = workers or count or cores()
    return {
        "cells": len(plan.cells),
        "steps": steps,
        "phases": sum(step["kind"] == "phase" for step in steps),
        "arms": sum(step["kind"] == "arm" for step in steps),
        "shared": plan.shared,
        "workers": at_once,
        "seconds": round(START + sum(known) / at_once) if known else 0,
        "unknown": len(open_) - len(known),
        "peak_bytes": max(peaks, default=0),
    }


def plan_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """The plan for a terminal."""
    for step in told["steps"]:
        time = "done" if step["done"] else "?" if step["seconds"] is None else f"{step['seconds']:.0f} s"
        memory = "?" if step["peak_bytes"] is None else f"{step['peak_bytes'] / GB:.2f} GB"
        yield f"{step['kind']:<6} {time:>8} {memory:>9}  {step['title']}"
    saved = f", {told['shared']} fewer than separate runs would train" if told["shared"] else ""
    yield f"{told['cells']} cells: {told['phases']} phases and {told['arms']} arms{saved}"
    unknown = f", without {told['unknown']} steps whose data or model is not here" if told["unknown"] else ""
    yield f"about {told['seconds'] / 60:.0f} min with {told['workers']} at once{unknown}"
    if told["peak_bytes"]:
        yield f"the largest step takes {told['peak_bytes'] / GB:.2f} GB, with {told['workers']} at once"


class Estimator:
    """Counts tokens of a few examples and multiplies."""

    def __init__(self, flops: float) -> None:
        self._flops = flops
        self._tokens: dict[tuple[Any, ...], tuple[float, int] | None] = {}

    def seconds(self, step: Step) -> float | None:
        """Of a step; None where its data or its model is not here."""
        recipe = step.recipe
        tokens = self._trained(recipe, step) if step.phase else self._arm(recipe)
        layers = None if tokens is None else _parameters(recipe.model.id, recipe.model.revision)
        if tokens is None or layers is None:
            return None
        trained, read = tokens
        return SECONDS_PER_STEP + (6 * trained + 2 * read) * layers / self._flops

    def _trained(self, recipe: Recipe, step: Step) -> tuple[float, float] | None:
        settings = recipe.languages if step.phase and step.phase.startswith("0-") else recipe.intermediate
        if settings is None:
            return None
        names = recipe.intermediate.tasks if recipe.intermediate and settings is recipe.intermediate else ["mlm"]
        mixed = recipe.intermediate if recipe.intermediate and settings is recipe.intermediate else None
        languages, cap = (mixed.languages, mixed.mix.cap) if mixed else ({}, None)
        found = [self._task(recipe, n, settings.train, languages.get(n), cap) for n in names]
        if any(tokens is None for tokens in found):
            return None
        sums = [tokens for tokens in found if tokens is not None]
        return sum(trained for trained, _ in sums), sum(read for _, read in sums)

    def _arm(self, recipe: Recipe) -> tuple[float, float] | None:
        task = find_task(recipe.target.task, recipe.tasks, "target.task")
        settings = recipe.evaluate
        asked = task.languages if isinstance(settings.languages, str) else tuple(settings.languages)
        counted = [self._count(recipe, task, settings.split, language) for language in asked]
        tests = [found for found in counted if found is not None]
        if not tests:
            return None
        read = sum(mean * min(count, settings.limit or count) for mean, count in tests)
        if task.family == "retrieval":
            return 0.0, 2 * read
        trained = self._task(recipe, task.name, recipe.target.train, recipe.target.train.languages)
        return None if trained is None else (trained[0], trained[1] + read)

    def _task(
        self,
        recipe: Recipe,
        name: str,
        train: TrainSettings,
        languages: Sequence[str] | None = None,
        cap: int | None = None,
    ) -> tuple[float, float] | None:
        """Tokens trained on, and those of dev sets."""
        task = find_task(name, recipe.tasks, "intermediate.tasks")
        language = languages[0] if languages else task.english
        found = self._count(recipe, task, "train", language, train.max_length)
        if found is None:
            return None
        mean, count = found
        dev = min(train.dev_limit or count, round(count * (train.holdout or DEFAULT_HOLDOUT)))
        trained = min(train.limit or count, cap or count, count)
        amount = Amount(trained, mean * trained)
        epochs = choose(train, [amount], width=WIDTH, one_layer=True).pace.epochs
        return amount.tokens * epochs, mean * dev * epochs

    def _count(
        self, recipe: Recipe, task: Task, split: Split, language: str, max_length: int | None = None
    ) -> tuple[float, int] | None:
        """Mean tokens of an example, and the number of examples."""
        key = (recipe.model.id, recipe.data.model_dump_json(), task.name, split, language, max_length)
        if key not in self._tokens:
            self._tokens[key] = _counted(recipe, task, split, language, max_length)
        return self._tokens[key]


def _told(step: Step, folder: StudyFolder, estimator: Estimator, peak: int | None) -> dict[str, Any]:
    seconds = estimator.seconds(step)
    return {
        "key": step.key,
        "kind": "phase" if step.phase else "arm",
        "title": step.title,
        "needs": list(step.needs),
        "done": is_done(step, folder),
        "seconds": None if seconds is None else round(seconds, 1),
        "peak_bytes": peak,
    }


def _counted(
    recipe: Recipe, task: Task, split: Split, language: str, max_length: int | None
) -> tuple[float, int] | None:
    tokenizer = _tokenizer(recipe.model.id, recipe.model.revision)
    if tokenizer is None:
        return None
    source = lenient_source(recipe)
    try:
        if task.family == "retrieval":
            pool = source.pool(task, split, language)
            texts: Sequence[str] = [query.passage.text for query in pool.queries[:SAMPLE]]
            return sum(len(found.ids) for found in tokenizer.encode_batch(texts)) / max(1, len(texts)), len(pool)
        examples = source.examples(task, split, language)
        some = list(islice(examples, SAMPLE))
        count = len(some) + sum(1 for _ in examples)
        features = FAMILIES[task.family].encode(task, some, tokenizer, max_length or task.max_length)
    except LowresStiltsError:
        return None
    return (len(features.ids) / len(some), count) if some else None


@functools.cache
def _tokenizer(model: str, revision: str | None) -> Tokenizer | None:
    """None where it is not here, so that a Hub out of reach is asked once and not for every count."""
    from lowres_stilts.encoder.load import load_tokenizer  # noqa: PLC0415 - seconds

    try:
        return load_tokenizer(model, revision=revision)
    except LowresStiltsError:
        return None


@functools.cache
def _parameters(model: str, revision: str | None) -> float | None:
    """Of the encoder's layers."""
    from lowres_stilts.encoder.load import read_config  # noqa: PLC0415 - seconds

    try:
        config = read_config(model, revision)
    except LowresStiltsError:
        return None
    hidden = int(config.hidden_size)
    return float(
        int(config.num_hidden_layers) * (4 * hidden * hidden + 2 * hidden * int(config.intermediate_size))
    )
