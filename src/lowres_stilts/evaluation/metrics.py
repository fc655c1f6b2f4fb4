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
    table: Callable[[Sequence[Any], Sequence[Any]], Floats]
    """Counts `[examples, counts]` from gold answers and predictions, as many of one as of the other."""
    value: Callable[[Floats], Floats]
    """Points (0 to 100) from summed counts `[..., counts]`, shape `[...]`."""

    def score(self, table: Floats) -> float:
        """Points of all examples together."""
        return float(self.value(table.sum(axis=0)))


def _accuracy_table(gold: Sequence[Any], predicted: Sequence[Any]) -> Floats:
    hits = [right == answer for right, answer in zip(gold, predicted, strict=True)]
    return np.stack([np.array(hits, np.float64), np.ones(len(hits))], axis=1)


def _accuracy(sums: Floats) -> Floats:
    return 100 * sums[..., 0] / np.maximum(sums[..., 1], 1)


def _span_table(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> Floats:
    """Right, found and true spans of each sentence, as seqeval finds them, which is what XTREME's script does.

    It looks at all sentences in a row. For bare tags that matters: an X at the start of a sentence takes the
    start of the span before it.
    """
    from seqeval.metrics.sequence_labeling import get_entities  # noqa: PLC0415 - only tagging needs it

    lengths = [len(right) for right, _ in zip(gold, predicted, strict=True)]
    ends = np.cumsum([length + 1 for length in lengths]) - 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "NOUN seems not to be NE tag": XTREME scores POS this way.
        true, found = (set(get_entities([list(tags) for tags in side])) for side in (gold, predicted))
    counts = np.zeros((len(lengths), 3))
    for column, spans in enumerate((true & found, found, true)):
        for _, _, end in spans:
            counts[np.searchsorted(ends, end), column] += 1
    return counts


def _span_f1(sums: Floats) -> Floats:
    return 200 * sums[..., 0] / np.maximum(sums[..., 1] + sums[..., 2], 1)


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric("accuracy", _accuracy_table, _accuracy),
            Metric("span_f1", _span_table, _span_f1),
        )
    }
)
"""`span_f1` is micro-averaged F1 over spans, the CoNLL definition."""
