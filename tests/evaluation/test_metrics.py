import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from sklearn.metrics import accuracy_score

from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.tasks.catalog.labels import NER, UPOS

ACCURACY, SPAN_F1 = METRICS["accuracy"], METRICS["span_f1"]
TAGS = {"ner": NER, "pos": UPOS, "both": ("O", "B-PER", "I-PER", "PER", "NOUN", "X")}
TEXTS = ([("a b",), ("c", "d e"), ("f",)], ["a", "e d", None])
EXAMPLES = {
    "accuracy": ([0, 1, 2], [0, 2, 2]),
    "token_accuracy": ([("N", "V"), ("N",), ("V",)], [("N", "N"), ("N",), ("N",)]),
    "span_f1": ([("NOUN",), ("VERB", "NOUN"), ("O",)], [("NOUN",), ("VERB", "VERB"), ("NOUN",)]),
    "squad": TEXTS,
    "squad_v2": TEXTS,
    "mlqa": TEXTS,
    "pair_f1": (["x", None, "y"], ["x", "z", None]),
    "map_at_20": ([("x",), ("y", "z"), ("w",)], [["x"], ["w", "z", "y"], ["x"]]),
}
ANSWERS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=30)


def _seqeval(gold, predicted):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "NOUN seems not to be NE tag."
        return 100 * f1_score(gold, predicted, zero_division=0)


def test_metrics_are_filed_under_their_names():
    assert {name: metric.name for name, metric in METRICS.items()} == {name: name for name in METRICS}


@pytest.mark.parametrize("tags", TAGS.values(), ids=TAGS)
@given(data=st.data())
def test_span_f1_equals_seqeval(tags, data):
    pairs = st.lists(st.tuples(st.sampled_from(tags), st.sampled_from(tags)), min_size=1, max_size=8)
    sentences = data.draw(st.lists(pairs, min_size=1, max_size=5))
    gold, predicted = ([[pair[side] for pair in sentence] for sentence in sentences] for side in (0, 1))
    assert SPAN_F1.score(SPAN_F1.table(gold, predicted, "en")) == pytest.approx(_seqeval(gold, predicted))


def test_span_f1_equals_seqeval_where_a_sentence_begins_with_x():
    gold = [["ADJ", "ADJ"], ["X", "ADJ"]]
    predicted = [["ADJ", "ADP"], ["X", "ADJ"]]
    assert SPAN_F1.score(SPAN_F1.table(gold, predicted, "en")) == pytest.approx(_seqeval(gold, predicted))


@pytest.mark.parametrize(
    ("gold", "predicted", "counts"),
    [
        ("B-PER I-PER O", "B-PER I-PER O", (1, 1, 1)),
        ("B-PER I-PER O", "B-PER O O", (0, 1, 1)),
        ("B-PER B-PER", "B-PER I-PER", (0, 1, 2)),
        ("I-PER I-PER", "B-PER I-PER", (1, 1, 1)),
        ("B-PER I-LOC", "B-PER B-LOC", (2, 2, 2)),
        ("NOUN VERB", "NOUN NOUN", (0, 1, 2)),
        ("NOUN NOUN VERB", "NOUN NOUN NOUN", (0, 1, 2)),
        ("O O", "O O", (0, 0, 0)),
    ],
)
def test_spans_are_counted_as_conll_does(gold, predicted, counts):
    table = SPAN_F1.table([tuple(gold.split())], [tuple(predicted.split())], "en")
    assert table.tolist() == [list(counts)]


def test_spans_end_with_their_sentence():
    gold = [("O", "B-PER"), ("I-PER", "O")]
    assert SPAN_F1.table(gold, gold, "en").tolist() == [[1, 1, 1], [1, 1, 1]]


def test_no_spans_at_all_is_zero_not_an_error():
    assert SPAN_F1.score(SPAN_F1.table([("O", "O")], [("O", "O")], "en")) == 0


def test_accuracy_is_the_share_of_equal_answers():
    assert ACCURACY.score(ACCURACY.table(["a", "b", "a", "c"], ["a", "b", "c", "c"], "en")) == 75


@given(answers=ANSWERS)
def test_accuracy_is_in_points_and_does_not_depend_on_the_order(answers):
    gold, predicted = zip(*answers, strict=True)
    score = ACCURACY.score(ACCURACY.table(gold, predicted, "en"))
    right = len([1 for answer, guess in answers if answer == guess])
    assert score == pytest.approx(100 * right / len(answers))
    assert ACCURACY.score(ACCURACY.table(gold[::-1], predicted[::-1], "en")) == score


def test_a_label_is_no_index():
    assert ACCURACY.score(ACCURACY.table(["1"], [1], "en")) == 0


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_every_example_needs_an_answer_and_every_answer_an_example(metric):
    gold, predicted = EXAMPLES[metric.name]
    for fewer in ((gold, predicted[:2]), (gold[:2], predicted)):
        with pytest.raises(ValueError, match=r"shorter|longer"):
            metric.table(*fewer, "en")


@pytest.mark.parametrize("tags", [("N",), ("N", "V", "N")])
def test_every_token_needs_a_tag(tags):
    with pytest.raises(ValueError, match=r"shorter|longer"):
        METRICS["token_accuracy"].table([("N", "V")], [tags], "en")


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_scores_of_resamples_come_in_one_step(metric):
    table = metric.table(*EXAMPLES[metric.name], "en")
    weights = np.array([[1.0, 1, 1], [3, 0, 0], [0, 2, 1]])
    one_by_one = [metric.score(np.repeat(table, weights[row].astype(int), axis=0)) for row in range(3)]
    assert metric.value(weights @ table).tolist() == pytest.approx(one_by_one)
    for name, part in metric.parts.items():
        parts = [metric.part_scores(np.repeat(table, weights[row].astype(int), axis=0))[name] for row in range(3)]
        assert part(weights @ table).tolist() == pytest.approx(parts)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_no_examples_are_zero_points(metric):
    table = metric.table([], [], "en")
    assert [metric.score(table), *metric.part_scores(table).values()] == [0] * (1 + len(metric.parts))


def test_precision_and_recall_stand_beside_span_f1():
    gold, predicted = [["B-PER", "I-PER", "O", "B-LOC"]], [["B-PER", "I-PER", "B-ORG", "B-ORG"]]
    parts = SPAN_F1.part_scores(SPAN_F1.table(gold, predicted, "en"))
    assert parts == {
        "precision": 100 * precision_score(gold, predicted),
        "recall": 100 * recall_score(gold, predicted),
    }


@given(hits=st.lists(st.booleans(), min_size=1, max_size=200))
def test_accuracy_has_the_digits_of_scikit_learn(hits):
    gold, predicted = ["a"] * len(hits), ["a" if hit else "b" for hit in hits]
    assert ACCURACY.score(ACCURACY.table(gold, predicted, "en")) == accuracy_score(gold, predicted) * 100


def test_token_accuracy_is_over_tokens_not_sentences():
    metric = METRICS["token_accuracy"]
    table = metric.table([("N", "V"), ("N",)], [("N", "N"), ("N",)], "en")
    assert metric.score(table) == pytest.approx(200 / 3)


@pytest.mark.parametrize("order", ["C", "F"])
def test_examples_are_added_one_after_the_other_whatever_the_layout_of_the_table(order):
    """As the official scripts do: another order of adding ends in another digit."""
    shares = np.random.default_rng(0).random(1000)
    table = np.array(np.stack([shares, np.ones(1000)], axis=1), order=order)
    total = 0.0
    for share in shares.tolist():
        total += share
    assert METRICS["map_at_20"].score(table) == total / 1000 * 100
