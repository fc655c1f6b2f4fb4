"""Scaling curves: how a figure grows with size, fitted and with intervals."""

import warnings
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.optimize import OptimizeWarning, curve_fit

from lowres_stilts.evaluation.metric import Floats

FITS = 200
"""Draws to which the power law is fitted."""
PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class Fit:
    """A fitted curve."""

    form: str
    parameters: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    residual: float
    """Root mean square, in points."""

    def to_json(self) -> dict[str, Any]:
        """As in results.json."""
        return asdict(self)


def log_fit(sizes: Floats, values: Floats, draws: Floats) -> Fit | None:
    """`a + b log2(size)`: b is what a doubling adds.

    Args:
        sizes: `[sizes]`.
        values: as observed, `[sizes]`.
        draws: resampled, `[sizes, samples]`.

    Returns:
        None where there are fewer than two sizes.
    """
    if len(sizes) < 2:
        return None
    design = np.stack([np.ones(len(sizes)), np.log2(sizes)], axis=1)
    inverse = np.linalg.pinv(design)
    start, slope = inverse @ values
    low, high = np.percentile(inverse @ draws, PERCENTILES, axis=1)
    residual = float(np.sqrt(np.mean((design @ [start, slope] - values) ** 2)))
    return Fit(
        "a + b log2(size)",
        {"a": _round(start), "b": _round(slope)},
        {name: (_round(low[i]), _round(high[i])) for i, name in enumerate("ab")},
        _round(residual),
    )


def power_fit(sizes: Floats, values: Floats, draws: Floats) -> Fit | None:
    """`c - a size^-b`: c is the limit, b how fast it is come near to.

    Args:
        sizes: `[sizes]`.
        values: as observed, `[sizes]`.
        draws: resampled, `[sizes, samples]`.

    Returns:
        None where there are fewer than four sizes, or the curve does not fit.
    """
    found = _power(sizes, values) if len(sizes) >= 4 else None
    if found is None:
        return None
    chosen = draws[:, np.linspace(0, draws.shape[1] - 1, min(FITS, draws.shape[1]), dtype=int)]
    fitted = [parameters for column in chosen.T if (parameters := _power(sizes, column)) is not None]
    if len(fitted) < FITS // 4:
        return None
    low, high = np.percentile(fitted, PERCENTILES, axis=0)
    a, b, c = found
    residual = float(np.sqrt(np.mean((c - a * _unit(sizes) ** -b - values) ** 2)))
    return Fit(
        "c - a (size / smallest)^-b",
        {"a": _round(a), "b": _round(b), "c": _round(c)},
        {name: (_round(low[i]), _round(high[i])) for i, name in enumerate("abc")},
        _round(residual),
    )


def last_against_first_doubling(sizes: Floats, values: Floats, draws: Floats) -> tuple[float, Floats]:
    """How much less the last step adds per doubling than the first: the value and its draws, in points."""
    doublings = np.log2(sizes[1:] / sizes[:-1])
    steps = np.diff(values) / doublings
    drawn = np.diff(draws, axis=0) / doublings[:, None]
    return float(steps[0] - steps[-1]), np.asarray(drawn[0] - drawn[-1])


def _power(sizes: Floats, values: Floats) -> tuple[float, float, float] | None:
    def curve(x: Floats, a: float, b: float, c: float) -> Floats:
        return np.asarray(c - a * x**-b)

    start = (float(values[-1] - values[0]) or 1.0, 0.5, float(values[-1]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)
        try:
            found, _ = curve_fit(
                curve, _unit(sizes), values, p0=start, bounds=([-200, 0.01, -100], [200, 5, 200]), maxfev=2000
            )
        except (RuntimeError, ValueError):
            return None
    a, b, c = (float(value) for value in found)
    return a, b, c


def _unit(sizes: Floats) -> Floats:
    return np.asarray(sizes / sizes[0])


def _round(value: float) -> float:
    return round(float(value), 4)
