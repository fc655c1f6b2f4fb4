"""A task's training and dev examples, as a phase wants them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowres_stilts.errors import DataError
from lowres_stilts.recipe.training import TrainSettings
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.tasks.reading import LeftOut
from lowres_stilts.tasks.source import Examples, Source
from lowres_stilts.tasks.task import Task

DEFAULT_HOLDOUT = 0.05
"""For tasks that have no dev set of their own."""


@dataclass(frozen=True)
class TrainingSet:
    """A task with its training examples, which stay where they are, and its dev examples."""

    task: Task
    train: Examples
    dev: list[Any]
    per_epoch: int
    """How many training examples an epoch has: fewer or more than there are, in a mix."""
    by_language: Mapping[str, int]
    """How many training examples there are in each language."""
    dev_languages: tuple[str, ...]
    """Of the dev examples."""


def english_of(task: Task) -> tuple[str, ...]:
    """The language of its training data, unless a recipe names others."""
    return (task.english,)


def training_set(
    task: Task,
    source: Source,
    settings: TrainSettings,
    seed: int,
    languages: tuple[str, ...],
    left_out: LeftOut,
    *,
    translated: bool = False,
    dev_languages: tuple[str, ...] | None = None,
) -> TrainingSet:
    """Finds and checks the examples of a task.

    Args:
        task: what to read.
        source: where from.
        settings: limits, and the share that is held out as the dev set.
        seed: draws what is held out and what is taken.
        languages: of the training examples.
        left_out: counts what known defects make useless.
        translated: whether the examples are machine translations.
        dev_languages: of the dev set; English where none are given.

    Raises:
        DataError: a file is missing or malformed, a label is, or nothing is left to train on.
    """

    def read() -> Iterator[Any]:
        for language in languages:
            yield from source.examples(task, "train", language, translated=translated)

    counts, tags = _labelled(task, source, languages, left_out, translated=translated)
    count = sum(counts)
    if task.family == "tagging" and not task.labels:
        task = replace(task, labels=tuple(sorted(tags)))
    order = np.random.default_rng(seed).permutation(count)
    examples = Examples(read, count)
    holdout, asked = settings.holdout, dev_languages
    asked = english_of(task) if asked is None else tuple(code for code in asked if source.has(task, "dev", code))
    if holdout is None and not (asked and source.names(task, "dev")):
        holdout = DEFAULT_HOLDOUT
    if holdout is None:
        dev = [e for code in asked for e in source.examples(task, "dev", code, left_out=left_out)]
    else:
        held_out, order = np.split(order, [max(1, round(holdout * count))])
        dev, asked = list(examples.select(held_out)), languages
    _require_labels(task, dev, source.place(task, "dev", asked[0]))
    chosen = order[: settings.limit]
    train = examples.select(chosen)
    if not len(train):
        raise DataError(
            f"task {task.name}: nothing is left to train on after holding out {holdout}; "
            "lower train.holdout, or give more examples"
        )
    by_language = dict(zip(languages, _counted(chosen, counts), strict=True))
    return TrainingSet(task, train, dev[: settings.dev_limit], len(train), by_language, asked)


def _labelled(
    task: Task, source: Source, languages: tuple[str, ...], left_out: LeftOut, *, translated: bool
) -> tuple[list[int], set[str]]:
    """How many training examples each language has, all of them labelled, and the tags of their words."""
    place = source.place(task, "train", languages[0])
    counts = [0] * len(languages)
    tags: set[str] = set()
    for number, language in enumerate(languages):
        for example in source.examples(task, "train", language, translated=translated, left_out=left_out):
            counts[number] += 1
            answer = FAMILIES[task.family].gold(example)
            if answer is None:
                raise DataError(f"{place}: example {sum(counts)} has no label; train needs them all")
            tags.update(answer if isinstance(answer, tuple) else ())
    if not sum(counts):
        raise DataError(f"{place}: no examples")
    return counts, tags


def _counted(chosen: NDArray[np.int64], counts: Sequence[int]) -> list[int]:
    """How many of the chosen numbers are in each of some runs of these lengths, which follow on each other."""
    owners = np.searchsorted(np.cumsum(counts), chosen, side="right")
    found: list[int] = np.bincount(owners, minlength=len(counts)).tolist()
    return found


def _require_labels(task: Task, examples: Sequence[Any], place: str) -> None:
    if not examples:
        raise DataError(f"{place}: no examples")
    for number, example in enumerate(examples, start=1):
        if FAMILIES[task.family].gold(example) is None:
            raise DataError(f"{place}: example {number} has no label; dev needs them all")
