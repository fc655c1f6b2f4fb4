import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.data.examples import Answer, Question
from lowres_stilts.data.readers import Record
from lowres_stilts.errors import DataError
from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.families import DECODERS
from lowres_stilts.tasks.features import UNLABELLED
from lowres_stilts.tasks.qa import parse_squad
from tests.oracle import oracle_predictions, oracle_scores
from tests.tiny import WORDS, tiny_tokenizer

TOKENIZER = tiny_tokenizer()
QA = DECODERS["qa"]
SQUAD, SQUAD_V2 = REGISTRY["squad"], REGISTRY["squad_v2"]
TEXT = st.text(min_size=1, max_size=60) | st.lists(
    st.sampled_from([*WORDS.split(), "zebra", " ", "\n", "नमस्ते", "猫は", "e\u0301", "\u2003", "\x07"]),
    min_size=1, max_size=30,
).map(" ".join)  # fmt: skip


def tokens_of(context):
    TOKENIZER.no_truncation()
    return [pair for pair in TOKENIZER.encode(context, add_special_tokens=False).offsets if pair[0] < pair[1]]


@st.composite
def asked(draw):
    """Any context with an answer of a few whole tokens, which some window surely holds."""
    context = draw(TEXT.filter(lambda text: text.strip()))
    tokens = tokens_of(context)
    first = draw(st.integers(0, len(tokens) - 1))
    last = min(len(tokens) - 1, first + draw(st.integers(0, 2)))
    start, end = tokens[first][0], tokens[last][1]
    for _ in tokens:  # offsets of unknown pieces overlap: take them all in
        touching = [pair for pair in tokens if pair[0] < end and pair[1] > start]
        start, end = min(a for a, _ in touching), max(b for _, b in touching)
    text = context[start:end]
    if not text.strip() or len(touching) > 6:
        context, text, start = "calm sun", "sun", 5
    return Question("1", draw(TEXT), context, (Answer(text, start),))


@given(examples=st.lists(asked(), min_size=1, max_size=4), max_length=st.integers(24, 40))
def test_perfect_scores_give_the_gold_answer_up_to_white_space(examples, max_length):
    features = QA.encode(SQUAD, examples, TOKENIZER, max_length)
    predicted = oracle_predictions(SQUAD, examples, features)
    assert predicted == [example.answers[0].text.strip() for example in examples]


@given(question=TEXT, context=TEXT, max_length=st.integers(8, 40), data=st.data())
def test_any_scores_give_characters_of_the_context_in_order_and_without_duplicates(
    question, context, max_length, data
):
    examples = [Question("1", question, context, None)]
    features = QA.encode(SQUAD, examples, TOKENIZER, max_length)
    (scores,) = oracle_scores(SQUAD, features).values()
    spans, _ = QA.spans(examples[0], features, 0, scores)
    texts = [context[span.start : span.end] for span in spans]
    assert all(text and text == text.strip() for text in texts)
    assert [span.score for span in spans] == sorted((span.score for span in spans), reverse=True)
    assert len({(span.start, span.end) for span in spans}) == len(spans) <= 20
    answer = QA.decode(SQUAD, examples[0], features, 0, scores)
    assert answer == (texts[0] if texts else "")
    assert answer in context


@given(examples=st.lists(asked(), min_size=1, max_size=4), data=st.data())
def test_questions_without_an_answer_get_none_where_the_task_has_such(examples, data):
    examples = [
        dataclasses.replace(example, answers=()) if data.draw(st.booleans()) else example for example in examples
    ]
    features = QA.encode(SQUAD_V2, examples, TOKENIZER, 30)
    predicted = oracle_predictions(SQUAD_V2, examples, features)
    assert predicted == [e.answers[0].text.strip() if e.answers else "" for e in examples]
    gold = [QA.gold(example) for example in examples]
    metric = METRICS["squad_v2"]
    assert metric.score(metric.table([tuple(a.strip() for a in g) for g in gold], predicted, "en")) == 100
    # SQuAD 1.1 knows no such questions: there is always an answer.
    assert all(oracle_predictions(SQUAD, examples, features))


def test_the_answer_is_labelled_in_every_window_that_holds_it_and_only_there():
    context = " ".join(WORDS.split() * 2)
    answer = Answer("grey", context.index("grey"))
    features = QA.encode(SQUAD, [Question("1", "the", context, (answer,))], TOKENIZER, 16)
    assert len(features.labels) == len(features.sequences) - 1 > 3
    held = 0
    for (first, last), start, end in zip(
        features.labels.tolist(), features.sequences, features.sequences[1:], strict=False
    ):
        offsets = features.offsets[start:end].tolist()
        whole = any(a <= answer.start and answer.start + 4 <= b for a, b in offsets)
        assert (first, last) == (0, 0) or whole
        if whole:
            held += 1
            assert context[offsets[first][0] : offsets[last][1]].strip() == "grey"
    assert held


def test_a_question_whose_answer_is_not_known_has_no_label():
    features = QA.encode(SQUAD, [Question("1", "the", "cat " * 40, None)], TOKENIZER, 16)
    assert set(features.labels.flatten().tolist()) == {UNLABELLED}
    assert features.labels_of == "sequence"
    assert QA.gold(Question("1", "the", "cat", None)) is None
    assert QA.gold(Question("1", "the", "cat", ())) == ()


def test_no_answer_is_labelled_with_the_first_token_and_a_tie_is_for_the_answer():
    question = Question("1", "the", "cat", ())
    features = QA.encode(SQUAD_V2, [question], TOKENIZER, 16)
    assert features.labels.tolist() == [[0, 0]]
    scores = np.zeros((1, len(features.ids), 2), np.float32)
    assert QA.decode(SQUAD_V2, question, features, 0, scores) == "cat"
    scores[0, 0] = 0.1
    assert QA.decode(SQUAD_V2, question, features, 0, scores) == ""
    assert QA.decode(SQUAD, question, features, 0, scores) == "cat"


ASKED = {"id": "7", "question": "who?", "context": "a dog, a cat"}
FOUND = [{"text": "a", "answer_start": 7}, {"text": "cat", "answer_start": 9}]
ANSWERS = (Answer("a", 7), Answer("cat", 9))


def parse(fields, task=SQUAD):
    return parse_squad(Record(Path("x.json"), 3, ASKED | fields), task)


@pytest.mark.parametrize(
    ("fields", "answers"),
    [
        ({"answers": FOUND}, ANSWERS),
        ({"answers": {"text": ["a", "cat"], "answer_start": [7, 9]}}, ANSWERS),
        ({}, None),
        ({"answers": FOUND, "is_impossible": False}, ANSWERS),
        ({"answers": FOUND, "is_impossible": True}, ()),
        ({"answers": []}, ()),
    ],
    ids=["list", "two lists", "unlabelled", "possible", "impossible", "empty"],
)
def test_answers_in_every_spelling(fields, answers):
    for number in ("7", 7):
        assert parse(fields | {"id": number}, SQUAD_V2) == Question("7", "who?", ASKED["context"], answers)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"id": True}, "field 'id' must be a text, found True"),
        ({"id": None}, "field 'id' must be a text, found nothing"),
        ({"question": ""}, "field 'question' is empty"),
        ({"answers": 3}, "field 'answers' must be a list of answers, found 3"),
        ({"answers": [3]}, "field 'answers' must be a list of answers, found [3]"),
        (
            {"answers": {"text": ["a"], "answer_start": []}},
            "field 'answers' must be a list of answers, found {'text': ['a'], 'answer_start': []}",
        ),
        ({"answers": [{"text": 3}]}, "an answer's 'text' must be a text, found 3"),
        ({"answers": [{"text": " ", "answer_start": 1}]}, "an answer's 'text' must be a text, found ' '"),
        *(
            (
                {"answers": [{"text": text, "answer_start": start}]},
                f"answer {text!r} does not stand at character {start} of the context",
            )
            for text, start in (("a", 8), ("a", -5), (" dog", True), ("cat", 9.0), ("cats", 9))
        ),
        (
            {"answers": FOUND, "is_impossible": True},
            "field 'answers' is empty, but every question of this task has an answer",
        ),
    ],
)
def test_a_wrong_question_says_what_is_wrong(fields, problem):
    with pytest.raises(DataError) as caught:
        parse(fields)
    assert str(caught.value) == f"x.json:3: {problem}"
