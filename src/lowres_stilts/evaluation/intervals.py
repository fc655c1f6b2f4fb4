"""Bootstrap intervals over examples (Efron and Tibshirani 1993; paired as in Koehn 2004)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowres_stilts.evaluation.metrics import Floats, Metric

PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class Interval:
    """A value and its 95% percentile interval, in points."""

    value: float
    low: float
    high: float


def mean_interval(
    metric: Metric,
    tables: Sequence[Floats],
    baselines: Sequence[Floats] = (),
    *,
    samples: int = 1000,
    seed: int = 13,
) -> Interval:
    """The mean of the metric over test sets, or of its gain over a baseline, and its 95% interval.

    Examples are drawn with replacement within each test set; a system and its baseline share the draws.

    Args:
        metric: the metric.
        tables: counts `[examples, counts]` of each test set.
        baselines: the baseline's counts of the same examples; without them, the interval of the score.
        samples: how many resamples.
        seed: of the resamples.
    """
    values, draws = [], []
    for index, table in enumerate(tables):
        weights = _resample(len(table), samples, seed + index)
        value, drawn = metric.score(table), metric.value(weights @ table)
        if baselines:
            value -= metric.score(baselines[index])
            drawn = drawn - metric.value(weights @ baselines[index])
        values.append(value)
        draws.append(drawn)
    low, high = np.percentile(np.mean(draws, axis=0), PERCENTILES)
    return Interval(*(round(float(number), 4) for number in (np.mean(values), low, high)))


def _resample(examples: int, samples: int, seed: int) -> NDArray[np.float64]:
    """How often each example is drawn in each resample, `[samples, examples]`."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(examples, np.full(examples, 1 / examples), size=samples).astype(np.float64)
