import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_fscore_support

from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.evaluation.ranking import average_precision

PAIR_F1, MAP = METRICS["pair_f1"], METRICS["map_at_20"]


@given(rows=st.lists(st.tuples(st.sampled_from("ab-"), st.sampled_from("ab-")), min_size=1, max_size=20))
def test_pair_f1_equals_scikit_learn_over_pairs(rows):
    gold, predicted = ([None if row[side] == "-" else row[side] for row in rows] for side in (0, 1))
    table = PAIR_F1.table(gold, predicted, "zh")
    pairs = [(query, partner) for query in range(len(rows)) for partner in "ab"]
    true, found = ([side[query] == partner for query, partner in pairs] for side in (gold, predicted))
    scores = precision_recall_fscore_support(true, found, average="binary", zero_division=0)[:3]
    mine = (*PAIR_F1.part_scores(table).values(), PAIR_F1.score(table))
    assert mine == pytest.approx([100 * score for score in scores])


def test_a_pair_that_is_not_there_counts_as_found():
    table = PAIR_F1.table(["x", None, "y"], ["x", "z", None], "zh")
    assert table.tolist() == [[1, 1, 1], [0, 1, 0], [0, 0, 1]]
    assert PAIR_F1.score(table) == 50


@given(relevant=st.lists(st.booleans(), min_size=1, max_size=20).filter(any))
def test_of_short_rankings_it_is_the_average_precision_of_scikit_learn(relevant):
    right = {str(place) for place, hit in enumerate(relevant) if hit}
    ranked = [str(place) for place in range(len(relevant))]
    expected = average_precision_score(relevant, -np.arange(len(relevant)))
    assert average_precision(right, ranked) == pytest.approx(expected)


def test_only_twenty_count():
    filler = [f"no{place}" for place in range(20)]
    assert average_precision({"x"}, [*filler[:19], "x"]) == 1 / 20
    assert average_precision({"x"}, [*filler, "x"]) == 0
    many = [str(place) for place in range(30)]
    assert average_precision(set(many), many[:20]) == 1
    assert average_precision(set(many), many[:10]) == 0.5


def test_repetitions_are_no_hits_but_take_ranks():
    assert average_precision({"x", "y"}, ["x", "x", "y"]) == (1 + 2 / 3) / 2
    assert average_precision({"y"}, ["x", "x", "y"]) == 1 / 3


def test_where_nothing_is_right_nothing_is_gained():
    assert average_precision((), ["x"]) == 0
    assert average_precision((), []) == 0


def test_the_mean_is_over_queries_and_an_empty_ranking_counts_zero():
    assert MAP.score(MAP.table([("x",), ("y",), ("z", "w")], [["x"], [], ["z", "w"]], "sw")) == 2 / 3 * 100
