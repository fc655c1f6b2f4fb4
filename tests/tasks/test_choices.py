"""Multiple-choice records in the spellings of their releases."""

from pathlib import Path

import pytest

from lowres_stilts.data.examples import ChoiceExample
from lowres_stilts.data.readers import Record
from lowres_stilts.errors import DataError
from lowres_stilts.tasks import choices
from lowres_stilts.tasks.task import Task

TASK = Task("mine", "multiple_choice", "", ("en",), "accuracy")
CSQA = {
    "question": {
        "stem": "Where?",
        "choices": [{"label": "A", "text": "here"}, {"label": "B", "text": "there"}],
    },
    "answerKey": "B",
}
CSQA_OF_THE_HUB = {
    "question": "Where?",
    "choices": {"label": ["A", "B"], "text": ["here", "there"]},
    "answerKey": "B",
}
SIQA = {"context": "It rains.", "question": "Why?", "answerA": "a", "answerB": "b", "answerC": "c"}
HELLASWAG = {"ctx": "It rains", "endings": ["and pours", "up"]}
COSMOSQA = {
    "context": "It rains.",
    "question": "Why?",
    "answer0": "a",
    "answer1": "b",
    "answer2": "c",
    "answer3": "d",
}
STORYCLOZE = {
    **{f"InputSentence{number}": f"{number}." for number in range(1, 5)},
    "RandomFifthSentenceQuiz1": "good",
    "RandomFifthSentenceQuiz2": "bad",
    "AnswerRightEnding": "2",
}
STORYCLOZE_OF_THE_HUB = {
    **{f"input_sentence_{number}": f"{number}." for number in range(1, 5)},
    "sentence_quiz1": "good",
    "sentence_quiz2": "bad",
    "answer_right_ending": 2,
}
BELEBELE = {
    "flores_passage": "It rains.",
    "question": "Why?",
    **{f"mc_answer{number}": str(number) for number in range(1, 5)},
    "correct_answer_num": "4",
}


def parse(name, fields):
    return getattr(choices, f"parse_{name}")(Record(Path("x.jsonl"), 3, fields), TASK)


@pytest.mark.parametrize(
    ("name", "fields", "example"),
    [
        ("csqa", CSQA, ChoiceExample("Where?", ("here", "there"), 1)),
        ("csqa", CSQA_OF_THE_HUB, ChoiceExample("Where?", ("here", "there"), 1)),
        ("siqa", SIQA | {"correct": "B"}, ChoiceExample("It rains. Why?", ("a", "b", "c"), 1)),
        ("siqa", SIQA | {"label": "3"}, ChoiceExample("It rains. Why?", ("a", "b", "c"), 2)),
        ("hellaswag", HELLASWAG | {"label": "1"}, ChoiceExample("It rains", ("and pours", "up"), 1)),
        ("cosmosqa", COSMOSQA | {"label": 3}, ChoiceExample("It rains. Why?", ("a", "b", "c", "d"), 3)),
        ("storycloze", STORYCLOZE, ChoiceExample("1. 2. 3. 4.", ("good", "bad"), 1)),
        ("storycloze", STORYCLOZE_OF_THE_HUB, ChoiceExample("1. 2. 3. 4.", ("good", "bad"), 1)),
        ("belebele", BELEBELE, ChoiceExample("It rains. Why?", ("1", "2", "3", "4"), 3)),
    ],
)
def test_every_spelling_gives_prompt_choices_and_the_index_of_the_right_one(name, fields, example):
    assert parse(name, fields) == example


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("csqa", CSQA | {"answerKey": ""}),
        ("siqa", SIQA),
        ("siqa", SIQA | {"correct": ""}),
        ("hellaswag", HELLASWAG),
        *(("hellaswag", HELLASWAG | {"label": label}) for label in (None, "", -1, "-1")),
    ],
)
def test_what_stands_for_an_unknown_answer_is_no_label(name, fields):
    assert parse(name, fields).label is None


@pytest.mark.parametrize(("label", "index"), [("000000001", 1), (" 1", 1), (0, 0)])
def test_a_number_of_up_to_nine_characters_is_a_label(label, index):
    assert parse("hellaswag", HELLASWAG | {"label": label}).label == index


@pytest.mark.parametrize(
    ("name", "fields", "problem"),
    [
        ("hellaswag", HELLASWAG | {"label": 2}, "label 2 is not the index of a choice (0 to 1)"),
        *(
            ("hellaswag", HELLASWAG | {"label": label}, f"label {label!r} is not a number")
            for label in (True, 1.0, [1], "0000000001", "one")
        ),
        ("hellaswag", {"ctx": "x", "label": "0"}, "field 'choices' must be a list of at least two texts"),
        ("cosmosqa", COSMOSQA | {"label": 4}, "label 4 is not the index of a choice (0 to 3)"),
        ("cosmosqa", COSMOSQA | {"label": "A"}, "label 'A' is not a number"),
        (
            "storycloze",
            STORYCLOZE | {"AnswerRightEnding": "3"},
            "label 2 is not the index of a choice (0 to 1)",
        ),
        ("storycloze", STORYCLOZE | {"AnswerRightEnding": "x"}, "label 'x' is not a number"),
        ("belebele", BELEBELE | {"correct_answer_num": "0"}, "label -1 is not the index of a choice (0 to 3)"),
        ("belebele", BELEBELE | {"correct_answer_num": "x"}, "label 'x' is not a number"),
        ("siqa", SIQA | {"label": "4"}, "answer '4' is not one of 1, 2, 3"),
        *(
            (
                "csqa",
                {"question": {"stem": "Where?", "choices": options}},
                "expected a field 'question' with a 'stem' and a list of 'choices'",
            )
            for options in ([], ["here", "there"], "here")
        ),
        (
            "csqa",
            CSQA_OF_THE_HUB | {"choices": {"label": ["A", "B"], "text": ["here", " "]}},
            "every choice must be a text with something to read in it",
        ),
    ],
)
def test_a_wrong_record_says_what_is_wrong_and_where(name, fields, problem):
    with pytest.raises(DataError) as caught:
        parse(name, fields)
    assert str(caught.value) == f"x.jsonl:3: {problem}"
