import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.evaluation.intervals import Interval, mean_interval
from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.tasks.catalog.labels import NER

ACCURACY, SPAN_F1 = METRICS["accuracy"], METRICS["span_f1"]
TABLES = st.lists(st.lists(st.booleans(), min_size=1, max_size=30), min_size=1, max_size=3)


def _table(correct):
    return np.stack([np.asarray(correct, float), np.ones(len(correct))], axis=1)


def _systems(examples, agreement):
    """Answers of two systems of about 60 and 70 percent that agree on this share of the examples."""
    rng = np.random.default_rng(1)
    baseline = rng.random(examples) < 0.6
    alone = rng.random(examples) >= agreement
    return np.where(alone, rng.random(examples) < 0.7, baseline), baseline


def _width(interval):
    return interval.high - interval.low


@pytest.mark.parametrize("share", [0.05, 0.5, 0.7])
def test_close_to_the_normal_interval(share):
    correct = np.arange(1000) < 1000 * share
    interval = mean_interval(ACCURACY, [_table(correct)], samples=4000)
    half = 100 * 1.96 * np.sqrt(share * (1 - share) / 1000)
    assert interval.value == pytest.approx(100 * share)
    assert interval.low == pytest.approx(interval.value - half, abs=0.1 * half)
    assert interval.high == pytest.approx(interval.value + half, abs=0.1 * half)


def test_close_to_the_normal_interval_of_a_paired_gain():
    system, baseline = _systems(1000, 0.8)
    interval = mean_interval(ACCURACY, [_table(system)], [_table(baseline)], samples=4000)
    gains = system.astype(float) - baseline
    half = 100 * 1.96 * gains.std() / np.sqrt(1000)
    assert interval.value == pytest.approx(100 * gains.mean())
    assert interval.low == pytest.approx(interval.value - half, abs=0.1 * half)
    assert interval.high == pytest.approx(interval.value + half, abs=0.1 * half)


@given(correct=TABLES)
def test_the_value_lies_in_its_interval_and_both_in_0_to_100(correct):
    interval = mean_interval(ACCURACY, [_table(table) for table in correct], samples=300)
    assert interval.value == pytest.approx(100 * np.mean([np.mean(table) for table in correct]), abs=1e-3)
    assert 0 <= interval.low <= interval.value <= interval.high <= 100


@given(correct=TABLES)
def test_the_gain_over_oneself_is_nothing(correct):
    tables = [_table(table) for table in correct]
    assert mean_interval(ACCURACY, tables, tables, samples=200) == Interval(0, 0, 0)


def test_what_is_always_right_has_no_spread():
    assert mean_interval(ACCURACY, [_table([1] * 20)]) == Interval(100, 100, 100)


def test_pairing_narrows_the_interval_of_systems_that_agree():
    system, baseline = (_table(correct) for correct in _systems(500, 0.9))
    paired = mean_interval(ACCURACY, [system], [baseline])
    unpaired = mean_interval(ACCURACY, [system], [np.random.default_rng(0).permutation(baseline)])
    assert paired.value == unpaired.value
    assert _width(paired) < 0.6 * _width(unpaired)


def test_a_gain_that_the_baseline_has_too_is_its_opposite():
    system, baseline = (_table(correct) for correct in _systems(200, 0.5))
    gain = mean_interval(ACCURACY, [system], [baseline])
    loss = mean_interval(ACCURACY, [baseline], [system])
    assert (loss.value, loss.low, loss.high) == pytest.approx((-gain.value, -gain.high, -gain.low), abs=1e-3)


def test_languages_weigh_the_same():
    assert mean_interval(ACCURACY, [_table([1] * 1000), _table([0] * 10)]) == Interval(50, 50, 50)


def test_languages_are_resampled_independently_of_each_other():
    table = _table(np.arange(400) % 2)
    one, four = mean_interval(ACCURACY, [table]), mean_interval(ACCURACY, [table] * 4)
    assert _width(four) == pytest.approx(_width(one) / 2, rel=0.2)


def test_more_examples_narrow_the_interval():
    few, many = (mean_interval(ACCURACY, [_table(np.arange(n) % 2)]) for n in (100, 400))
    assert _width(many) == pytest.approx(_width(few) / 2, rel=0.2)


def test_spans_are_resampled_by_sentence():
    rng = np.random.default_rng(0)
    gold = [tuple(rng.choice(NER, 6)) for _ in range(100)]
    predicted = [tags if rng.random() < 0.7 else tuple(rng.choice(NER, 6)) for tags in gold]
    table = SPAN_F1.table(gold, predicted, "en")
    interval = mean_interval(SPAN_F1, [table])
    assert interval.value == pytest.approx(SPAN_F1.score(table), abs=1e-4)
    assert interval.low < interval.value < interval.high
    draws = [SPAN_F1.score(table[rng.integers(0, 100, 100)]) for _ in range(1000)]
    assert (interval.low, interval.high) == pytest.approx(np.percentile(draws, [2.5, 97.5]), abs=1)


def test_same_seed_same_interval():
    table = _table(np.arange(50) % 3 == 0)
    assert mean_interval(ACCURACY, [table], seed=5) == mean_interval(ACCURACY, [table], seed=5)
    assert mean_interval(ACCURACY, [table], seed=5) != mean_interval(ACCURACY, [table], seed=6)


def test_without_being_asked_there_are_1000_resamples_from_seed_13():
    table = _table(np.arange(50) % 3 == 0)
    usual = mean_interval(ACCURACY, [table])
    assert usual == mean_interval(ACCURACY, [table], samples=1000, seed=13)
    assert usual != mean_interval(ACCURACY, [table], samples=1000, seed=14)
