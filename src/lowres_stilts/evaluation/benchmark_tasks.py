"""The tasks of XTREME and XTREME-R: how their files are read, compared and scored."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lowres_stilts.errors import DataError
from lowres_stilts.evaluation.benchmark_files import (
    Pair,
    read_answers,
    read_labels,
    read_pairs,
    read_rankings,
    read_tags,
)
from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.evaluation.references import Source

Examples = tuple[Sequence[Any], Sequence[Any]]
"""Gold answers and predictions, one by one."""


@dataclass(frozen=True)
class BenchmarkTask:
    """A task and how its prediction files are scored."""

    name: str
    metric: str
    """Its name in `METRICS`."""
    figures: tuple[str, ...]
    """What XTREME's script calls the metric or its parts; the first is averaged, of answers both are."""
    read: Callable[[Path], Any]
    match: Callable[[Any, Any], Examples]
    suffix: str = "tsv"

    def file(self, language: str) -> str:
        """The prediction file of a language, relative to the submission."""
        return f"{self.name}/test-{language}.{self.suffix}"

    def average(self, averages: Mapping[str, float]) -> float:
        """The one figure of the task from the averages of its figures over languages."""
        if "exact_match" in self.figures:
            return (averages["exact_match"] + averages["f1"]) / 2
        return averages[self.figures[0]]


def score_file(
    task: BenchmarkTask, language: str, path: Path, reference: Path, source: Source
) -> dict[str, float]:
    """The figures of one prediction file, in points.

    Raises:
        DataError: one of the files cannot be used; the message says which and why.
    """
    gold, predicted = source.read(reference), task.read(path)
    if not gold:
        raise DataError(f"{reference}: there is nothing in it")
    metric = METRICS[task.metric]
    try:
        table = metric.table(*task.match(gold, predicted), language)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except _MismatchError as mismatch:
        raise DataError(f"{path}: {mismatch} in {reference}") from mismatch
    scores = {task.figures[0]: metric.score(table)} | metric.part_scores(table)
    return {figure: scores[figure] for figure in task.figures}


class _MismatchError(ValueError):
    """Predictions and gold answers do not stand side by side."""


def _by_line(gold: list[str], predicted: list[str]) -> Examples:
    if len(gold) != len(predicted):
        raise _MismatchError(f"{len(predicted)} predictions for {len(gold)} labels")
    return gold, predicted


def _by_sentence(gold: list[list[str]], predicted: list[list[str]]) -> Examples:
    if len(gold) != len(predicted):
        raise _MismatchError(f"{len(predicted)} sentences for {len(gold)}")
    for number, (right, tags) in enumerate(zip(gold, predicted, strict=True), start=1):
        if len(right) != len(tags):
            raise _MismatchError(f"{len(tags)} tags in sentence {number} for {len(right)}")
    return gold, predicted


def _by_pair(gold: list[Pair], predicted: list[Pair]) -> Examples:
    """Every pair as a query of its own, since an id may stand in several."""
    true, found = set(gold), set(predicted)
    pairs = sorted(true | found)
    return [pair if pair in true else None for pair in pairs], [pair if pair in found else None for pair in pairs]


def _by_question(gold: list[tuple[str, Any]], predicted: dict[str, str | None]) -> Examples:
    return [answers for _, answers in gold], [predicted.get(question) for question, _ in gold]


def _by_query(gold: list[tuple[str, Any]], predicted: dict[str, list[str]]) -> Examples:
    return [right for _, right in gold], [predicted.get(query, []) for query, _ in gold]


def _labels(name: str) -> BenchmarkTask:
    return BenchmarkTask(name, "accuracy", ("accuracy",), read_labels, _by_line)


def _tags(name: str) -> BenchmarkTask:
    return BenchmarkTask(name, "span_f1", ("f1", "precision", "recall"), read_tags, _by_sentence)


def _answers(name: str, metric: str) -> BenchmarkTask:
    return BenchmarkTask(name, metric, ("exact_match", "f1"), read_answers, _by_question, "json")


def _ranks(name: str) -> BenchmarkTask:
    return BenchmarkTask(name, "map_at_20", ("map_at_20",), read_rankings, _by_query, "json")


TASKS: Mapping[str, BenchmarkTask] = MappingProxyType(
    {
        task.name: task
        for task in (
            *map(_labels, ("pawsx", "xnli", "xcopa", "tatoeba")),
            *map(_tags, ("panx", "udpos")),
            BenchmarkTask("bucc2018", "pair_f1", ("f1", "precision", "recall"), read_pairs, _by_pair),
            _answers("xquad", "squad"),
            _answers("mlqa", "mlqa"),
            _answers("tydiqa", "squad"),
            *map(_ranks, ("lareqa", "mewslix")),
        )
    }
)
