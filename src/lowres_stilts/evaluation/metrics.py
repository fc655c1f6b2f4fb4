"""Official metrics as sums over examples, so that resampling examples is a matrix product."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lowres_stilts.evaluation.answers import MLQA, SQUAD, SQUAD_V2
from lowres_stilts.evaluation.metric import Floats, Metric, mean
from lowres_stilts.evaluation.ranking import MAP_AT_20, PAIR_F1
from lowres_stilts.evaluation.spans import SPAN_F1
from lowres_stilts.plugins import Registry

__all__ = ["METRICS", "Floats", "Metric"]


def _accuracy_table(gold: Sequence[Any], predicted: Sequence[Any], language: str) -> Floats:
    hits = [right == answer for right, answer in zip(gold, predicted, strict=True)]
    return np.stack([np.array(hits, np.float64), np.ones(len(hits))], axis=1)


def _token_table(gold: Sequence[Sequence[Any]], predicted: Sequence[Sequence[Any]], language: str) -> Floats:
    """Right tokens and all tokens of each sentence."""
    counts = [
        (sum(right == answer for right, answer in zip(*pair, strict=True)), len(pair[0]))
        for pair in zip(gold, predicted, strict=True)
    ]
    return np.array(counts, np.float64).reshape(-1, 2)


ACCURACY = Metric("accuracy", _accuracy_table, mean)
TOKEN_ACCURACY = Metric("token_accuracy", _token_table, mean)

METRICS: Registry[Metric] = Registry(
    "metrics",
    {
        metric.name: metric
        for metric in (ACCURACY, TOKEN_ACCURACY, SPAN_F1, SQUAD, SQUAD_V2, MLQA, PAIR_F1, MAP_AT_20)
    },
    Metric,
)
"""Each says in its file what gold answers and predictions are; for `accuracy`, anything that can be equal."""
