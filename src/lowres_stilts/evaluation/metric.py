"""What a metric is: a function of sums of per-example counts, so that bootstrap is a matrix product."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Points = Callable[[Floats], Floats]
"""Points (0 to 100) from summed counts `[..., counts]`, shape `[...]`."""


@dataclass(frozen=True)
class Metric:
    """A metric that is a function of sums of per-example counts."""

    name: str
    table: Callable[[Sequence[Any], Sequence[Any], str], Floats]
    """Counts `[examples, counts]` from gold answers, as many predictions and the language's code, such as "zh"."""
    value: Points
    parts: Mapping[str, Points] = field(default_factory=dict)
    """Figures to be shown beside the value."""

    def score(self, table: Floats) -> float:
        """Points of all examples together."""
        return float(self.value(_sum(table)))

    def part_scores(self, table: Floats) -> dict[str, float]:
        """Points of each part, all examples together."""
        return {name: float(part(_sum(table))) for name, part in self.parts.items()}


def ratio(over: Floats, under: Floats) -> Floats:
    """The quotient, and 0 where there is nothing to divide by."""
    quotient: Floats = np.divide(over, under, out=np.zeros_like(over), where=under != 0)
    return quotient


def precision(sums: Floats) -> Floats:
    """Points from right, found and true ones."""
    return ratio(sums[..., 0], sums[..., 1]) * 100


def recall(sums: Floats) -> Floats:
    """Points from right, found and true ones."""
    return ratio(sums[..., 0], sums[..., 2]) * 100


def f1(sums: Floats) -> Floats:
    """Points from right, found and true ones, in the steps of XTREME's script: the last digit is the same."""
    found, true = ratio(sums[..., 0], sums[..., 1]), ratio(sums[..., 0], sums[..., 2])
    return ratio(2 * found * true, found + true) * 100


def mean(sums: Floats) -> Floats:
    """Points from a sum of shares and the number of examples."""
    return ratio(sums[..., 0], sums[..., 1]) * 100


def _sum(table: Floats) -> Floats:
    """One example after the other, as the official scripts add; numpy's pairwise sum may end in another digit."""
    sums: Floats = table.cumsum(axis=0)[-1] if len(table) else table.sum(axis=0)
    return sums
