import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers.data.metrics import squad_metrics

from lowres_stilts.errors import DataError
from lowres_stilts.evaluation.answers import normalize_mlqa, normalize_squad
from lowres_stilts.evaluation.metrics import METRICS

SQUAD, SQUAD_V2, MLQA = (METRICS[name] for name in ("squad", "squad_v2", "mlqa"))
WORDS = ("the", "a", "An", "cat,", "Cat", "dog", "dog's", "…", "猫", "3.5", "!", "", "\u00a0", "éa", "The-end")
TEXTS = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join) | st.text(max_size=8)


def _parts(metric, gold, predicted, language="en"):
    return metric.part_scores(metric.table(gold, predicted, language))


@given(text=TEXTS)
def test_squad_normalizes_as_transformers_does(text):
    assert normalize_squad(text) == squad_metrics.normalize_answer(text)


@given(answers=st.lists(TEXTS, max_size=3).map(tuple), predicted=TEXTS)
def test_squad_v2_equals_transformers(answers, predicted):
    told = [answer for answer in answers if squad_metrics.normalize_answer(answer)] or [""]
    assert _parts(SQUAD_V2, [answers], [predicted]) == {
        "exact_match": 100 * max(squad_metrics.compute_exact(answer, predicted) for answer in told),
        "f1": 100 * max(squad_metrics.compute_f1(answer, predicted) for answer in told),
    }


@given(answers=st.lists(TEXTS, min_size=1, max_size=3).map(tuple), predicted=TEXTS)
def test_squad_differs_from_transformers_only_where_a_side_is_empty(answers, predicted):
    def f1(answer):
        both = squad_metrics.get_tokens(answer) and squad_metrics.get_tokens(predicted)
        return squad_metrics.compute_f1(answer, predicted) if both else 0

    assert _parts(SQUAD, [answers], [predicted]) == {
        "exact_match": 100 * max(squad_metrics.compute_exact(answer, predicted) for answer in answers),
        "f1": 100 * max(map(f1, answers)),
    }


def test_nothing_equals_nothing_but_has_no_f1_in_version_1():
    for metric in (SQUAD, MLQA):
        assert _parts(metric, [("the",)], ["!"]) == {"exact_match": 100, "f1": 0}
    assert _parts(SQUAD_V2, [()], [""]) == {"exact_match": 100, "f1": 100}
    assert _parts(SQUAD_V2, [()], ["cat"]) == {"exact_match": 0, "f1": 0}


@pytest.mark.parametrize("metric", [SQUAD, SQUAD_V2, MLQA], ids=lambda metric: metric.name)
def test_a_question_left_out_counts_zero(metric):
    assert _parts(metric, [("cat",), ("dog",)], ["cat", None]) == {"exact_match": 50, "f1": 50}
    assert _parts(metric, [()], [None]) == {"exact_match": 0, "f1": 0}


@given(pairs=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=20))
def test_sums_are_those_of_a_loop(pairs):
    """The official script adds question by question, multiplies by 100 and divides by their number."""
    gold, predicted = [(answer,) for answer, _ in pairs], [text for _, text in pairs]
    f1 = 0
    for answer, text in pairs:
        f1 += _parts(SQUAD, [(answer,)], [text])["f1"] / 100
    assert _parts(SQUAD, gold, predicted)["f1"] == pytest.approx(100 * f1 / len(pairs), rel=1e-15)


@given(answers=st.lists(TEXTS, min_size=1, max_size=3).map(tuple), predicted=TEXTS)
def test_the_value_is_the_mean_of_exact_match_and_f1(answers, predicted):
    table = SQUAD.table([answers], [predicted], "en")
    assert SQUAD.score(table) == sum(SQUAD.part_scores(table).values()) / 2
    assert 0 <= SQUAD.score(table) <= 100


@given(text=TEXTS, more=st.lists(TEXTS, max_size=2), metric=st.sampled_from([SQUAD, SQUAD_V2, MLQA]))
def test_a_further_gold_answer_never_hurts(text, more, metric):
    few, many = (_parts(metric, [answers], [text]) for answers in (("cat",), ("cat", *more)))
    assert all(few[part] <= many[part] for part in few)


@pytest.mark.parametrize(
    ("language", "text", "normal"),
    [
        ("en", "The  «Cat», a dog!", "cat dog"),
        ("es", "La casa, ¿y los otros?", "casa y otros"),
        ("de", "Der Hund – des Mannes", "hund mannes"),
        ("vi", "Những con mèo của tôi", "con mèo tôi"),
        ("hi", "यह एक, घर है।", "यह एक घर है"),
        ("ar", "القطة في البيت، وبالطبع", "قطة في بيت وب طبع"),
        ("zh", "我们 在2019年，去Beijing。", "我 们 在 2019 年 去 beijing"),
        ("zh", "the 猫", "the 猫"),
        ("hi", "the \u9fa6", "the \u9fa6"),
    ],
)
def test_mlqa_normalizes_by_language(language, text, normal):
    assert normalize_mlqa(text, language) == normal


@given(text=st.text(max_size=30))
def test_mlqa_segments_chinese_character_by_character(text):
    segments, rest = [], ""
    for character in text.lower():
        if unicodedata.category(character)[0] == "P" or character in string.punctuation:
            continue
        if 0x4E00 <= ord(character) <= 0x9FA5:
            segments += [*rest.split(), character]
            rest = ""
        else:
            rest += character
    assert normalize_mlqa(text, "zh").split() == segments + rest.split()


def test_mlqa_has_seven_languages():
    for language in ("en", "es", "hi", "vi", "de", "ar", "zh"):
        assert _parts(MLQA, [("x",)], ["x"], language) == {"exact_match": 100, "f1": 100}
    with pytest.raises(DataError, match="MLQA has no language 'sw'"):
        MLQA.table([("x",)], ["x"], "sw")
