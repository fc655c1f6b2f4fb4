import numpy as np
import pytest

from lowres_stilts.evaluation.intervals import mean_interval
from lowres_stilts.evaluation.metrics import METRICS

ACCURACY = METRICS["accuracy"]


def _table(correct):
    return np.stack([np.asarray(correct, float), np.ones(len(correct))], axis=1)


def test_close_to_the_normal_interval():
    rng = np.random.default_rng(0)
    correct = rng.random(2000) < 0.7
    interval = mean_interval(ACCURACY, [_table(correct)], samples=4000)
    share = correct.mean()
    half = 100 * 1.96 * np.sqrt(share * (1 - share) / 2000)
    assert interval.value == pytest.approx(100 * share)
    assert interval.low == pytest.approx(interval.value - half, abs=0.15)
    assert interval.high == pytest.approx(interval.value + half, abs=0.15)


def test_the_gain_over_itself_is_nothing():
    table = _table([1, 0, 1, 1])
    interval = mean_interval(ACCURACY, [table], [table])
    assert (interval.value, interval.low, interval.high) == (0, 0, 0)


def test_pairing_narrows_the_interval_of_systems_that_agree():
    rng = np.random.default_rng(1)
    baseline = rng.random(500) < 0.6
    system = baseline.copy()
    system[:10] = True
    paired = mean_interval(ACCURACY, [_table(system)], [_table(baseline)])
    unpaired = mean_interval(ACCURACY, [_table(system)], [_table(rng.permutation(baseline))])
    assert paired.high - paired.low < 0.5 * (unpaired.high - unpaired.low)
    assert paired.low >= 0


def test_languages_weigh_the_same():
    interval = mean_interval(ACCURACY, [_table([1] * 1000), _table([0] * 10)])
    assert interval.value == 50


def test_same_seed_same_interval():
    table = _table(np.arange(50) % 3 == 0)
    assert mean_interval(ACCURACY, [table], seed=5) == mean_interval(ACCURACY, [table], seed=5)
    assert mean_interval(ACCURACY, [table], seed=5) != mean_interval(ACCURACY, [table], seed=6)
