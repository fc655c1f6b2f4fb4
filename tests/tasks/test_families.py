import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.data.examples import Answer, ChoiceExample, Question, TaggedSentence, TextExample
from lowres_stilts.tasks.families import DECODERS, FAMILIES
from lowres_stilts.tasks.features import UNLABELLED
from lowres_stilts.tasks.task import Task
from lowres_stilts.text.encode import encode_texts
from tests.oracle import oracle_predictions
from tests.tiny import WORDS, tiny_tokenizer

TOKENIZER = tiny_tokenizer()
LABELS = {
    "classification": ("no", "yes", "maybe"),
    "tagging": ("O", "B-PER", "I-PER"),
    "multiple_choice": (),
    "qa": (),
    "mlm": (),
}
TASKS = {family: Task("mine", family, "", ("en",), "accuracy", labels=labels) for family, labels in LABELS.items()}
WORD = st.sampled_from([*WORDS.split(), "zebra", "calmsea", "\x07"])
SENTENCE = st.lists(WORD, min_size=1, max_size=12)
TEXT = SENTENCE.map(" ".join)


def _question(rows):
    """A question about a context, whose answer is one of its words that are one token."""
    question, before, answer, after = rows
    context = " ".join([*before, answer, *after])
    start = len(" ".join([*before, ""]))
    return Question("1", " ".join(question), context, (Answer(answer, start),))


EXAMPLES = {
    "qa": st.tuples(SENTENCE, SENTENCE, st.sampled_from(WORDS.split()), SENTENCE).map(_question),
    "mlm": st.builds(TextExample, TEXT, st.none(), st.none()),
    "classification": st.builds(TextExample, TEXT, st.none() | TEXT, st.sampled_from(LABELS["classification"])),
    "multiple_choice": st.lists(TEXT, min_size=2, max_size=5).flatmap(
        lambda choices: st.builds(ChoiceExample, TEXT, st.just(tuple(choices)), st.integers(0, len(choices) - 1))
    ),
    "tagging": st.lists(st.tuples(WORD, st.sampled_from(LABELS["tagging"])), min_size=1, max_size=20).map(
        lambda rows: TaggedSentence(*zip(*rows, strict=True))
    ),
}
HEADS = [
    ("classification", "sequence", 3),
    ("multiple_choice", "sequence", 1),
    ("tagging", "token", 3),
    ("qa", "token", 2),
    ("mlm", "vocabulary", 0),
]
UNKNOWN_ANSWERS = {
    "qa": Question("1", "the cat", "sat ran cry", None),
    "classification": TextExample("the cat", None, None),
    "multiple_choice": ChoiceExample("the cat", ("sat", "ran", "cry"), None),
    "tagging": TaggedSentence(("the", "cat"), None),
}


def sequences(features):
    return [features.ids[start:end].tolist() for start, end in itertools.pairwise(features.sequences)]


def test_every_family_has_examples_here():
    assert set(FAMILIES) == set(EXAMPLES)
    assert set(DECODERS) == set(UNKNOWN_ANSWERS) == set(FAMILIES) - {"mlm"}


@pytest.mark.parametrize("name", DECODERS)
@given(data=st.data())
def test_a_network_that_is_always_right_predicts_the_gold_answers(name, data):
    task, family = TASKS[name], FAMILIES[name]
    examples = data.draw(st.lists(EXAMPLES[name], min_size=1, max_size=5))
    features = family.encode(task, examples, TOKENIZER, max_length=12)
    assert len(features) == len(examples)
    assert features.lengths().max() <= 12
    gold = [family.gold(example) for example in examples]
    predicted = oracle_predictions(task, examples, features)
    if name == "qa":
        gold = [answers[0] for answers in gold]
    assert predicted == gold


@pytest.mark.parametrize("name", DECODERS)
def test_examples_without_an_answer_are_encoded_and_have_no_label(name):
    task, family, example = TASKS[name], FAMILIES[name], UNKNOWN_ANSWERS[name]
    features = family.encode(task, [example], TOKENIZER, max_length=12)
    assert family.gold(example) is None
    assert set(features.labels.flatten().tolist()) == {UNLABELLED}
    assert len(features) == 1


@pytest.mark.parametrize("name", FAMILIES)
def test_no_examples_are_no_features(name):
    features = FAMILIES[name].encode(TASKS[name], [], TOKENIZER, max_length=12)
    assert len(features) == len(features.ids) == 0


@pytest.mark.parametrize(("name", "head", "outputs"), HEADS)
def test_the_head_is_as_wide_as_the_answers_need(name, head, outputs):
    assert FAMILIES[name].outputs(TASKS[name]) == outputs
    assert FAMILIES[name].head == head


def test_classification_encodes_texts_and_pairs_as_they_are():
    examples = [TextExample("the cat", None, "maybe"), TextExample("a dog", "sat", "no")]
    features = FAMILIES["classification"].encode(TASKS["classification"], examples, TOKENIZER, 12)
    assert sequences(features) == encode_texts(TOKENIZER, [("the cat", None), ("a dog", "sat")], 12)
    assert features.labels.tolist() == [2, 0]
    assert not features.carriers.size


def test_multiple_choice_pairs_the_prompt_with_every_choice():
    examples = [ChoiceExample("the cat", ("sat", "ran"), 1), ChoiceExample("sun", ("good", "bad", "grey"), 0)]
    features = FAMILIES["multiple_choice"].encode(TASKS["multiple_choice"], examples, TOKENIZER, 12)
    pairs = [(example.prompt, choice) for example in examples for choice in example.choices]
    assert sequences(features) == encode_texts(TOKENIZER, pairs, 12)
    assert features.widths().tolist() == [2, 3]
    assert features.labels.tolist() == [1, 0]


def test_the_first_of_equal_choices_wins():
    example = UNKNOWN_ANSWERS["multiple_choice"]
    features = FAMILIES["multiple_choice"].encode(TASKS["multiple_choice"], [example], TOKENIZER, 12)
    scores = np.array([[1.0], [2.0], [2.0]], np.float32)
    assert DECODERS["multiple_choice"].decode(TASKS["multiple_choice"], example, features, 0, scores) == 1


def test_tagging_puts_labels_at_carriers_only():
    example = TaggedSentence(("the", "zebra", "cat"), ("O", "B-PER", "I-PER"))
    features = FAMILIES["tagging"].encode(TASKS["tagging"], [example], TOKENIZER, 20)
    (ids,) = sequences(features)
    words = [
        TOKENIZER.encode([word], is_pretokenized=True, add_special_tokens=False).ids for word in example.words
    ]
    assert ids == [0, *words[0], *words[1], *words[2], 2]
    rest = len(words[1]) - 1
    assert rest > 0
    assert features.labels.tolist() == [UNLABELLED, 0, 1, *[UNLABELLED] * rest, 2, UNLABELLED]
    assert features.carriers.tolist() == [label != UNLABELLED for label in features.labels]


def test_a_tag_that_is_none_of_the_labels_is_no_label():
    example = TaggedSentence(("the", "cat"), ("MISC", "O"))
    features = FAMILIES["tagging"].encode(TASKS["tagging"], [example], TOKENIZER, 20)
    assert features.labels.tolist() == [UNLABELLED, UNLABELLED, 0, UNLABELLED]
    assert features.carriers.tolist() == [False, True, True, False]


@given(example=EXAMPLES["tagging"], max_length=st.integers(3, 16))
def test_tagging_has_one_label_for_every_word_in_order_across_windows(example, max_length):
    features = FAMILIES["tagging"].encode(TASKS["tagging"], [example], TOKENIZER, max_length)
    assert [LABELS["tagging"][label] for label in features.labels[features.carriers]] == list(example.tags)
    assert set(features.labels[~features.carriers].tolist()) == {UNLABELLED}
