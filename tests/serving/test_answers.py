import numpy as np
import pytest

from lowres_stilts.runtime import Answer, Tagged
from lowres_stilts.serving import answers

TEXT = "Ann Lee met Bo in New York"
OFFSETS = ((0, 3), (4, 7), (8, 11), (12, 14), (15, 17), (18, 21), (22, 26))
SCORES = (0.5, 0.7, 0.9, 0.6, 0.8, 0.4, 0.6)


def tagged(*tags):
    return Tagged(tuple(TEXT.split()), tags, SCORES, TEXT, OFFSETS)


def grouped(*tags, ignored=("O",)):
    found = answers.entities(tagged(*tags), ignored)
    return [(own["entity_group"], own["word"]) for own in found]


def test_words_of_an_entity_come_together():
    tags = ("B-PER", "I-PER", "O", "B-PER", "O", "B-LOC", "I-LOC")
    assert grouped(*tags) == [("PER", "Ann Lee"), ("PER", "Bo"), ("LOC", "New York")]
    first = answers.entities(tagged(*tags), ["O"])[0]
    assert first["score"] == pytest.approx(0.6)
    assert TEXT[first["start"] : first["end"]] == first["word"]


def test_a_b_begins_anew_and_another_kind_too():
    assert grouped("B-PER", "B-PER", "I-LOC", "O", "O", "O", "O") == [
        ("PER", "Ann"),
        ("PER", "Lee"),
        ("LOC", "met"),
    ]


def test_tags_without_prefixes():
    assert grouped("NOUN", "NOUN", "VERB", "O", "O", "O", "X") == [
        ("NOUN", "Ann Lee"),
        ("VERB", "met"),
        ("X", "York"),
    ]
    assert grouped("O", "O", "O", "O", "O", "O", "X", ignored=("X",)) == [("O", "Ann Lee met Bo in New")]


def test_every_word_by_itself():
    found = answers.word_tags(tagged("B-PER", "I-PER", "O", "O", "O", "O", "O"), ["O"])
    assert [(own["entity"], own["word"], own["start"]) for own in found] == [
        ("B-PER", "Ann", 0),
        ("I-PER", "Lee", 4),
    ]


def test_labels_are_probabilities_or_raw():
    scores = np.array([1.0, 3.0, 2.0], np.float32)
    shares = answers.labels(["a", "b", "c"], scores, raw=False)
    assert [own["label"] for own in shares] == ["b", "c", "a"]
    assert sum(own["score"] for own in shares) == pytest.approx(1)
    assert answers.labels(["a", "b", "c"], scores, raw=True)[0] == {"label": "b", "score": 3.0}


def test_several_answers():
    answer = Answer("a", 0, 1, 0.5, (Answer("b", 2, 3, 0.3), Answer("c", 4, 5, 0.2)))
    assert [own["answer"] for own in answers.answers(answer, 2)] == ["a", "b"]
    assert len(answers.answers(answer, 9)) == 3
