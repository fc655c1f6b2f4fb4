import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lowres_stilts.study.curves import last_against_first_doubling, log_fit, power_fit

SIZES = np.array([100.0, 200, 400, 800, 1600])


def _draws(values, spread=0.1):
    return values[:, None] + spread * np.random.default_rng(0).standard_normal((len(values), 500))


@given(st.lists(st.floats(-30, 30), min_size=5, max_size=5))
def test_log_fit_is_linear_regression(values):
    values = np.array(values)
    fit = log_fit(SIZES, values, _draws(values))
    found = stats.linregress(np.log2(SIZES), values)
    assert fit.parameters["b"] == pytest.approx(found.slope, abs=1e-3)
    assert fit.parameters["a"] == pytest.approx(found.intercept, abs=1e-2)
    low, high = fit.intervals["b"]
    assert low <= fit.parameters["b"] <= high


def test_power_fit_finds_the_law_that_made_the_points():
    values = 12 - 9 * (SIZES / 100) ** -0.7
    fit = power_fit(SIZES, values, _draws(values, 0.02))
    assert fit.parameters == pytest.approx({"a": 9, "b": 0.7, "c": 12}, abs=0.05)
    assert fit.residual < 0.01
    for name, value in fit.parameters.items():
        assert fit.intervals[name][0] - 0.05 <= value <= fit.intervals[name][1] + 0.05


def test_too_few_points_are_no_curve():
    values = np.array([1.0, 2, 3])
    assert power_fit(SIZES[:3], values, _draws(values)) is None
    assert log_fit(SIZES[:1], values[:1], _draws(values[:1])) is None


def test_diminishing_returns_are_positive():
    values = np.array([0.0, 4, 6, 7, 7.5])
    found, draws = last_against_first_doubling(SIZES, values, _draws(values))
    assert found == pytest.approx(3.5)
    assert draws.mean() == pytest.approx(3.5, abs=0.1)
    straight, _ = last_against_first_doubling(SIZES, np.arange(5.0), _draws(np.arange(5.0)))
    assert straight == pytest.approx(0)
