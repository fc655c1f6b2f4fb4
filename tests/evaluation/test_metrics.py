import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score

from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.tasks.registry import NER_TAGS, UPOS_TAGS

ACCURACY, SPAN_F1 = METRICS["accuracy"], METRICS["span_f1"]


@pytest.mark.parametrize("tags", [NER_TAGS, UPOS_TAGS], ids=["ner", "pos"])
@given(data=st.data())
def test_span_f1_equals_seqeval(tags, data):
    lengths = data.draw(st.lists(st.integers(1, 8), min_size=1, max_size=6))
    gold, predicted = (
        [data.draw(st.lists(st.sampled_from(tags), min_size=n, max_size=n)) for n in lengths] for _ in range(2)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = 100 * f1_score(gold, predicted, zero_division=0)
    assert SPAN_F1.score(SPAN_F1.table(gold, predicted)) == pytest.approx(expected)


def test_accuracy_counts_equal_answers():
    assert ACCURACY.score(ACCURACY.table(["a", "b", "a", "c"], ["a", "b", "c", "c"])) == 75


def test_scores_of_resamples_come_in_one_step():
    table = ACCURACY.table([1, 1, 0], [1, 0, 0])
    weights = np.array([[1.0, 1, 1], [3, 0, 0], [0, 3, 0]])
    assert ACCURACY.value(weights @ table).tolist() == pytest.approx([200 / 3, 100, 0])


def test_no_spans_at_all_is_zero_not_an_error():
    assert SPAN_F1.score(SPAN_F1.table([("O", "O")], [("O", "O")])) == 0
