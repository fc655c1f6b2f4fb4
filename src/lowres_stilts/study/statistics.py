"""Estimates over examples and seeds: paired bootstrap, tests, effect sizes, correlation.

A sample has the observed value of every seed and its bootstrap draws over examples. Samples that are to be
compared share their draws of examples and of seeds, so that differences are paired (Koehn 2004; Efron and
Tibshirani 1993).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lowres_stilts.evaluation.metric import Floats

PERCENTILES = (2.5, 97.5)
Call = Literal["gain", "loss", "undecided", "one seed"]


@dataclass(frozen=True)
class Sample:
    """A figure of several seeds."""

    values: Floats
    """As observed, `[seeds]`, in points."""
    draws: Floats
    """Over resampled examples, `[seeds, samples]`, in points."""

    def __sub__(self, other: "Sample") -> "Sample":
        """The difference, seed by seed and draw by draw."""
        return Sample(self.values - other.values, self.draws - other.draws)

    def of(self, seeds: Sequence[int]) -> "Sample":
        """Some of the seeds, by their positions."""
        chosen = list(seeds)
        return Sample(self.values[chosen], self.draws[chosen])


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its 95% interval over examples and seeds."""

    value: float
    low: float
    high: float
    p: float
    """Two-sided, that the true value is 0."""
    effect: float
    """The mean over its standard deviation between examples: Cohen's d of paired differences where the metric is a
    mean over examples, and what comes closest to it elsewhere."""
    examples: int
    seeds: int


def mean_of(samples: Sequence[Sample]) -> Sample:
    """The mean of samples with the same seeds; each weighs the same."""
    return Sample(
        np.mean([sample.values for sample in samples], axis=0),
        np.mean([sample.draws for sample in samples], axis=0),
    )


def highest_of(samples: Sequence[Sample]) -> Sample:
    """In every draw, what is highest in it on the mean over seeds.

    Taking the maximum anew in every draw counts in how uncertain it is which one is highest.
    """
    values = np.stack([sample.values for sample in samples])
    draws = np.stack([sample.draws for sample in samples])
    best = int(values.mean(axis=1).argmax())
    each = draws.mean(axis=1).argmax(axis=0)
    chosen = np.take_along_axis(draws, each[None, None, :], axis=0)[0]
    return Sample(values[best], chosen)


def over_seeds(sample: Sample, seed: int) -> Floats:
    """Draws of the mean over seeds, `[samples]`, examples and seeds both resampled.

    The share of the seeds is widened by `sqrt(n / (n - 1))`, since resampling n of them shows too little of their
    spread; one seed has none to show. The draws of seeds are the same for all samples of as many seeds.
    """
    seeds, samples = sample.draws.shape
    mean = sample.draws.mean(axis=0)
    if seeds == 1:
        return np.asarray(mean)
    rng = np.random.default_rng([seed, seeds])
    weights = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=samples).T / seeds
    drawn = (weights * sample.draws).sum(axis=0)
    return np.asarray(mean + np.sqrt(seeds / (seeds - 1)) * (drawn - mean))


def estimate(sample: Sample, examples: int, seed: int) -> Estimate:
    """Mean, interval, test and effect size.

    Args:
        sample: what to estimate.
        examples: how many stand behind it, for the effect size.
        seed: of the draws of seeds.
    """
    draws, value = over_seeds(sample, seed), float(sample.values.mean())
    low, high = np.percentile(draws, PERCENTILES)
    spread = float(draws.std(ddof=1))
    effect = value / (spread * np.sqrt(examples)) if spread > 0 and examples else 0.0
    return Estimate(
        round(value, 4), round(float(low), 4), round(float(high), 4),
        two_sided(value, draws), round(float(effect), 4), examples, len(sample.values),
    )  # fmt: skip


def within_points(found: Estimate, least: float) -> Estimate:
    """An estimate whose interval ends where points do; the widened share of the seeds may pass that.

    Args:
        found: of a score, or of a difference of scores.
        least: 0 for a score, -100 for a difference.
    """
    return replace(found, low=max(least, found.low), high=min(100.0, found.high))


def two_sided(value: float, draws: Floats) -> float:
    """The p-value that a figure is 0.

    It is the larger one of a normal test with the bootstrap's standard error and of twice the share of draws on
    the other side of 0. The second is more careful where the distribution is skewed, the first where no draw lies
    on the other side.
    """
    spread = float(draws.std(ddof=1))
    if spread < 1e-9:
        return 1.0 if abs(value) < 1e-9 else 0.0
    other = min(float((draws <= 0).mean()), float((draws >= 0).mean()))
    return min(1.0, max(2 * float(stats.norm.sf(abs(value) / spread)), 2 * other))


def holm(p_values: Sequence[float]) -> NDArray[np.float64]:
    """Adjusted p-values that hold the chance of any false finding (Holm 1979), in the order given."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    steps = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if len(p) else steps
    return adjusted


def call(found: Estimate, adjusted: float, alpha: float) -> Call:
    """What may be said of a difference: a gain or a loss only where noise is excluded.

    One seed can show nothing, since another might have given something else.

    Args:
        found: the difference.
        adjusted: its p-value over the whole grid.
        alpha: the level.
    """
    if found.seeds < 2:
        return "one seed"
    if adjusted < alpha and (found.low > 0 or found.high < 0):
        return "gain" if found.value > 0 else "loss"
    return "undecided"


@dataclass(frozen=True)
class Correlation:
    """Pearson's and Spearman's correlation; the interval is Fisher's, for Pearson's."""

    r: float
    low: float
    high: float
    p: float
    rho: float
    n: int


def correlation(x: Sequence[float], y: Sequence[float]) -> Correlation | None:
    """None where there are fewer than three points or all are the same on one side."""
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    found = stats.pearsonr(a, b)
    # Fisher's interval needs four points; with three, anything is possible.
    low, high = found.confidence_interval(0.95) if len(a) > 3 else (-1.0, 1.0)
    rho = float(stats.spearmanr(a, b).statistic)
    figures = [round(float(value), 4) for value in (found.statistic, low, high, found.pvalue, rho)]
    return Correlation(figures[0], figures[1], figures[2], figures[3], figures[4], len(a))
