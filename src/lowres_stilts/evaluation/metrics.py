"""Official metrics as sums over examples, so that resampling examples is a matrix product."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """A metric that is a function of sums of per-example counts."""

    name: str
    counts: Callable[[Any, Any, bool], Sequence[int]]
    """Counts of one example from its gold answer, its prediction, and whether it is the first of its file."""
    value: Callable[[Floats], Floats]
    """Points (0 to 100) from summed counts `[..., counts]`, shape `[...]`."""

    def table(self, gold: Sequence[Any], predicted: Sequence[Any]) -> Floats:
        """Counts of every example, `[examples, counts]`."""
        pairs = zip(gold, predicted, strict=True)
        rows = [self.counts(right, answer, index == 0) for index, (right, answer) in enumerate(pairs)]
        return np.array(rows, dtype=np.float64)

    def score(self, table: Floats) -> float:
        """Points of all examples together."""
        return float(self.value(table.sum(axis=0)))


def _accuracy_counts(gold: object, predicted: object, first: bool) -> tuple[int, int]:
    return int(gold == predicted), 1


def _accuracy(sums: Floats) -> Floats:
    return 100 * sums[..., 0] / np.maximum(sums[..., 1], 1)


def _span_counts(gold: Sequence[str], predicted: Sequence[str], first: bool) -> tuple[int, int, int]:
    """Spans as seqeval finds them, which is what XTREME's script does, for bare tags too.

    seqeval puts an O between sentences, and after it the bare tag X begins no span; so the O is put here too.
    """
    from seqeval.metrics.sequence_labeling import get_entities  # noqa: PLC0415 - only tagging needs it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "NOUN seems not to be NE tag": XTREME scores POS this way.
        before = [] if first else ["O"]
        right, found = set(get_entities([*before, *gold])), set(get_entities([*before, *predicted]))
    return len(right & found), len(found), len(right)


def _span_f1(sums: Floats) -> Floats:
    return 200 * sums[..., 0] / np.maximum(sums[..., 1] + sums[..., 2], 1)


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric("accuracy", _accuracy_counts, _accuracy),
            Metric("span_f1", _span_counts, _span_f1),
        )
    }
)
"""`span_f1` is micro-averaged F1 over spans, the CoNLL definition."""
