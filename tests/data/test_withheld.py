"""Placeholders are told from answers, in published sets only."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.data.withheld import (
    ENOUGH,
    answers_unknown,
    are_placeholder_labels,
    is_placeholder_answer,
    is_sorted,
)
from lowres_stilts.errors import DataError
from lowres_stilts.recipe.data import CustomTask
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.load import custom_task

SORTED = [f"{number}" for number in range(ENOUGH)]


@given(st.lists(st.sampled_from([0, "0"]), max_size=2 * ENOUGH))
def test_zeros_alone_are_placeholders_where_there_are_enough(labels):
    assert are_placeholder_labels(labels) == (len(labels) >= ENOUGH)
    assert not are_placeholder_labels([*labels, 1])


@given(st.lists(st.text("abc \n", max_size=3), min_size=ENOUGH, unique_by=str.strip))
def test_sorted_sentences_are_told_from_others(sentences):
    bare = sorted(sentence.strip() for sentence in sentences)
    assert is_sorted(bare)
    assert not is_sorted(bare[1:] + bare[:1])
    assert not is_sorted(bare[: ENOUGH - 1])


@pytest.mark.parametrize(
    ("answers", "withheld"),
    [
        ([{"text": "", "answer_start": 0}], True),
        ([{"text": "x", "answer_start": 0}], False),
        ([{"text": "", "answer_start": 3}], False),
        ([], False),
        (None, False),
    ],
)
def test_an_empty_answer_at_the_start_is_a_placeholder(answers, withheld):
    assert is_placeholder_answer(answers) is withheld


def test_the_line_names_languages_and_where_answers_are():
    line = answers_unknown("xquad", ["ar", "de"], "https://example.org")
    assert line == (
        "xquad: answers not known in ar, de, so no score there; labelled test files: https://example.org"
    )
    assert answers_unknown("mine", ["sw"], "") == "mine: answers not known in sw, so no score there"


def own(family):
    return custom_task("own", CustomTask(family=family, languages=["sw"]))


def test_a_sorted_side_is_nothing_special_in_a_file_of_ones_own(write):
    path = write("".join(f"s{line}\t{line}\n" for line in SORTED), "pairs.tsv")
    assert own("retrieval").pool(path, own("retrieval"), "sw").queries[0].answers == ("0",)
    published = REGISTRY["tatoeba"]
    assert {query.answers for query in published.pool(path, published, "sw").queries} == {None}


def test_an_empty_answer_is_an_error_in_a_file_of_ones_own(write):
    question = {"id": "1", "question": "q", "answers": [{"text": "", "answer_start": 0}]}
    text = json.dumps({"data": [{"paragraphs": [{"context": "c", "qas": [question]}]}]})
    path = write(text, "asked.json")
    assert [example.answers for example in REGISTRY["xquad"].read(path)] == [None]
    with pytest.raises(DataError, match="'text' must be a text"):
        list(own("qa").read(path))


def test_labels_of_xcopa_are_known_where_one_of_them_is_not_zero(write):
    row = {"premise": "p", "question": "cause", "choice1": "a", "choice2": "b", "label": 0}
    for rows, label in (([row] * ENOUGH, None), ([row] * 9 + [row | {"label": 1}], 0)):
        path = write("".join(f"{json.dumps(each)}\n" for each in rows), "test-sw.jsonl")
        assert next(iter(REGISTRY["xcopa"].read(path))).label == label


def test_mentions_of_one_language_have_a_file_of_their_own(write, tmp_path):
    (tmp_path / "wikinews_mentions").mkdir()
    mention = {"example_id": "1", "entity_id": "", "mention_span": {"start": 0, "end": 1}}
    write(json.dumps({"entity_id": "Q1", "title": "t", "description": "d"}), "candidate_set_entities.jsonl")
    path = write(
        json.dumps({"context": {"text": "x y", "language": "ar"}, "mentions": [mention]}),
        "wikinews_mentions/test-ar.jsonl",
    )
    pool = REGISTRY["mewslix"].pool(path, REGISTRY["mewslix"], "ar")
    assert [query.answers for query in pool.queries] == [None]
    assert [candidate.id for candidate in pool.candidates] == ["Q1"]
