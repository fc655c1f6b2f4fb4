import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lowres_stilts.study.statistics import (
    Estimate,
    Sample,
    call,
    correlation,
    estimate,
    highest_of,
    holm,
    mean_of,
    over_seeds,
    two_sided,
    within_points,
)

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def _sample(values, spread=1.0, seed=0, samples=4000):
    rng = np.random.default_rng(seed)
    values = np.array(values, float)
    return Sample(values, values[:, None] + spread * rng.standard_normal(samples))


@pytest.mark.slow
@settings(max_examples=20)  # each takes statsmodels a twentieth of a second, and its import takes five
@given(P_VALUES)
def test_holm_is_that_of_statsmodels(p_values):
    from statsmodels.stats.multitest import multipletests

    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


@given(P_VALUES)
def test_holm_never_lowers_a_p_value_and_keeps_their_order(p_values):
    adjusted = holm(p_values)
    assert (adjusted >= np.array(p_values) - 1e-12).all()
    assert (adjusted <= 1).all()
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(adjusted[order]) >= -1e-12).all()


def test_holm_of_nothing():
    assert holm([]).size == 0


def test_the_interval_of_a_mean_is_that_of_normal_theory():
    rng = np.random.default_rng(3)
    differences = rng.normal(2, 10, 400)
    weights = np.random.default_rng(4).multinomial(400, np.full(400, 1 / 400), size=4000)
    sample = Sample(np.array([differences.mean()]), (weights @ differences / 400)[None])
    found = estimate(sample, 400, 0)
    low, high = stats.t.interval(0.95, 399, differences.mean(), stats.sem(differences))
    assert (found.low, found.high) == (pytest.approx(low, abs=0.15), pytest.approx(high, abs=0.15))
    assert found.effect == pytest.approx(differences.mean() / differences.std(ddof=1), rel=0.05)
    assert found.p == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=2e-3)


@given(st.lists(st.floats(-20, 20), min_size=2, max_size=6))
def test_seeds_widen_the_interval_as_their_standard_error_does(values):
    drawn = over_seeds(_sample(values, spread=0.0), 5)
    assert drawn.std() == pytest.approx(stats.sem(values), rel=0.08, abs=1e-6)


@given(st.lists(st.floats(0, 100), min_size=2, max_size=5))
def test_intervals_of_scores_are_scores(values):
    found = within_points(estimate(_sample(values), examples=100, seed=1), least=0.0)
    assert 0 <= found.low <= found.high <= 100


def test_one_seed_has_no_spread_of_its_own():
    sample = _sample([1.0])
    assert over_seeds(sample, 0) == pytest.approx(sample.draws[0])


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_shared_draws_make_differences_paired(one, other):
    first, second = _sample([one, one]), _sample([other, other])  # the same noise
    found = estimate(first - second, 100, 0)
    assert found.value == pytest.approx(one - other, abs=1e-4)
    assert found.high - found.low == pytest.approx(0, abs=1e-4)


def test_means_and_the_highest():
    low, high = _sample([1.0, 3.0]), _sample([5.0, 7.0])
    assert mean_of([low, high]).values.tolist() == [3.0, 5.0]
    assert highest_of([low, high]).values.tolist() == [5.0, 7.0]
    assert (highest_of([low, high]).draws == high.draws).all()


def test_the_highest_of_equals_is_above_each_of_them_on_the_mean():
    found = highest_of([_sample([0.0], seed=1), _sample([0.0], seed=2)])
    assert found.draws.mean() > 0.3


def test_p_values_of_no_spread():
    assert two_sided(0.0, np.zeros(100)) == 1
    assert two_sided(1.0, np.ones(100)) == 0


def test_p_value_is_careful_with_skewed_draws():
    draws = np.concatenate([np.full(900, 10.0), np.full(100, -1.0)])
    assert two_sided(float(draws.mean()), draws) >= 0.2


@pytest.mark.parametrize(
    ("value", "low", "high", "seeds", "adjusted", "said"),
    [
        (2, 1, 3, 3, 0.01, "gain"),
        (-2, -3, -1, 3, 0.01, "loss"),
        (2, 1, 3, 3, 0.06, "undecided"),
        (2, -1, 3, 3, 0.01, "undecided"),
        (2, 1, 3, 1, 0.001, "one seed"),
    ],
)
def test_nothing_is_called_a_gain_that_could_be_noise(value, low, high, seeds, adjusted, said):
    assert call(Estimate(value, low, high, 0.001, 1.0, 100, seeds), adjusted, 0.05) == said


def test_noise_is_called_a_gain_no_more_often_than_the_level():
    rng = np.random.default_rng(0)
    called = 0
    for _ in range(200):
        p_values, found = [], []
        for _ in range(10):
            seeds = rng.normal(0, 1, 3)
            each = estimate(_sample(seeds, 1.0, int(rng.integers(1 << 30)), 400), 100, int(rng.integers(1 << 30)))
            found.append(each)
            p_values.append(each.p)
        calls = [call(each, p, 0.05) for each, p in zip(found, holm(p_values), strict=True)]
        called += any(said in {"gain", "loss"} for said in calls)
    assert called / 200 < 0.15  # three seeds are few; one in twenty is what many would come near to


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=4, max_size=20))
def test_correlation_is_that_of_scipy(points):
    x, y = np.array(points).T
    if np.ptp(x) < 1e-3 or np.ptp(y) < 1e-3:
        return
    found = correlation(x.tolist(), y.tolist())
    assert found.r == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-3)
    assert found.low - 1e-3 <= found.r <= found.high + 1e-3
    assert found.n == len(points)


def test_correlation_of_three_points_decides_nothing():
    found = correlation([1, 2, 3], [1, 2, 3.1])
    assert (found.low, found.high) == (-1, 1)


def test_no_correlation_without_variation():
    assert correlation([1, 1, 1, 1], [1, 2, 3, 4]) is None
    assert correlation([1, 2], [1, 2]) is None
