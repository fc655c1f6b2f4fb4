import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.tasks.mix import examples_per_epoch

SIZES = st.dictionaries(st.sampled_from("abcde"), st.integers(1, 100_000), min_size=2)


@given(sizes=SIZES, cap=st.none() | st.integers(1, 50_000), temperature=st.floats(0.5, 20))
def test_shares_follow_the_formula_and_fill_the_epoch(sizes, cap, temperature):
    counts = examples_per_epoch(sizes, cap=cap, temperature=temperature)
    capped = {task: min(size, cap or size) for task, size in sizes.items()}
    powers = {task: size ** (1 / temperature) for task, size in capped.items()}
    for task, count in counts.items():
        exact = sum(capped.values()) * powers[task] / sum(powers.values())
        assert count == pytest.approx(max(1, exact), abs=0.51)
        assert count >= 1
    assert list(counts) == list(sizes)


def test_by_size_every_task_is_taken_as_a_whole():
    assert examples_per_epoch({"a": 10, "b": 300}) == {"a": 10, "b": 300}
    assert examples_per_epoch({"a": 10, "b": 300}, cap=50) == {"a": 10, "b": 50}


@given(sizes=SIZES)
def test_a_high_temperature_makes_shares_equal_and_never_turns_their_order(sizes):
    counts = examples_per_epoch(sizes, temperature=1e9)
    assert max(counts.values()) - min(counts.values()) <= 1
    warm = examples_per_epoch(sizes, temperature=2)
    order = sorted(sizes, key=sizes.__getitem__)
    assert [warm[task] for task in order] == sorted(warm.values())


def test_weights_stand_in_the_place_of_sizes():
    assert examples_per_epoch({"a": 10, "b": 90}, weights={"a": 3, "b": 1}) == {"a": 75, "b": 25}
    assert examples_per_epoch({"a": 10, "b": 90}, weights={"a": 3, "b": 1}, cap=30) == {"a": 30, "b": 10}


def test_a_task_alone_is_taken_as_a_whole():
    assert examples_per_epoch({"a": 7}, cap=3, temperature=5, weights={"a": 0.1}) == {"a": 7}


def test_no_task_is_left_out():
    assert examples_per_epoch({"a": 1, "b": 100_000}, weights={"a": 1e-9, "b": 1})["a"] == 1
