"""Metrics of retrieval: pairs that were mined, and ranked candidates."""

from collections.abc import Collection, Sequence

import numpy as np

from lowres_stilts.evaluation.metric import Floats, Metric, f1, mean, precision, recall

DEPTH = 20


def _pair_table(gold: Sequence[str | None], predicted: Sequence[str | None], language: str) -> Floats:
    """Right, found and true pairs of each query, each 0 or 1."""
    rows = [
        (right is not None and found == right, found is not None, right is not None)
        for right, found in zip(gold, predicted, strict=True)
    ]
    return np.array(rows, np.float64).reshape(-1, 3)


def average_precision(right: Collection[str], ranked: Sequence[str], depth: int = DEPTH) -> float:
    """Average precision of the first `depth` candidates, from 0 to 1 (Ruder et al. 2021, Mewsli-X and LAReQA).

    The divisor is the number of right ones, or `depth` where there are more. A candidate that comes again is no
    second hit, but takes a rank.
    """
    hits, total = set[str](), 0.0
    for rank, candidate in enumerate(ranked[:depth], start=1):
        if candidate in right and candidate not in hits:
            hits.add(candidate)
            total += len(hits) / rank
    return total / min(len(set(right)), depth) if right else 0.0


def _average_precision_table(
    gold: Sequence[Collection[str]], predicted: Sequence[Sequence[str]], language: str
) -> Floats:
    rows = [(average_precision(right, ranked), 1) for right, ranked in zip(gold, predicted, strict=True)]
    return np.array(rows, np.float64).reshape(-1, 2)


PAIR_F1 = Metric("pair_f1", _pair_table, f1, parts={"precision": precision, "recall": recall})
"""F1 over pairs (BUCC 2018). Gold and predicted of a query: the id of its partner, or None."""
MAP_AT_20 = Metric("map_at_20", _average_precision_table, mean)
"""Mean average precision at 20. Gold: the ids of the right candidates; predicted: ids, best first."""
