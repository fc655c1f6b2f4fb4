import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowres_stilts.data.examples import ChoiceExample, TaggedSentence, TextExample
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.tasks.features import UNLABELLED
from lowres_stilts.tasks.task import Task
from lowres_stilts.text.encode import encode_texts
from tests.oracle import oracle_predictions
from tests.tiny import WORDS, tiny_tokenizer

TOKENIZER = tiny_tokenizer()
LABELS = {"classification": ("no", "yes", "maybe"), "tagging": ("O", "B-PER", "I-PER"), "multiple_choice": ()}
TASKS = {
    family: Task("mine", family, "", ("en",), "accuracy", lambda path, task: iter(()), labels=labels)
    for family, labels in LABELS.items()
}
WORD = st.sampled_from([*WORDS.split(), "zebra", "calmsea", "\x07"])
SENTENCE = st.lists(WORD, min_size=1, max_size=12)
TEXT = SENTENCE.map(" ".join)
EXAMPLES = {
    "classification": st.builds(TextExample, TEXT, st.none() | TEXT, st.sampled_from(LABELS["classification"])),
    "multiple_choice": st.lists(TEXT, min_size=2, max_size=5).flatmap(
        lambda choices: st.builds(ChoiceExample, TEXT, st.just(tuple(choices)), st.integers(0, len(choices) - 1))
    ),
    "tagging": st.lists(st.tuples(WORD, st.sampled_from(LABELS["tagging"])), min_size=1, max_size=20).map(
        lambda rows: TaggedSentence(*zip(*rows, strict=True))
    ),
}
UNKNOWN_ANSWERS = {
    "classification": TextExample("the cat", None, None),
    "multiple_choice": ChoiceExample("the cat", ("sat", "ran", "cry"), None),
    "tagging": TaggedSentence(("the", "cat"), None),
}


def sequences(features):
    return [features.ids[start:end].tolist() for start, end in itertools.pairwise(features.sequences)]


def test_every_family_has_examples_here():
    assert set(FAMILIES) == set(EXAMPLES) == set(UNKNOWN_ANSWERS)


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=60)
@given(data=st.data())
def test_a_network_that_is_always_right_predicts_the_gold_answers(name, data):
    task, family = TASKS[name], FAMILIES[name]
    examples = data.draw(st.lists(EXAMPLES[name], min_size=1, max_size=5))
    features = family.encode(task, examples, TOKENIZER, max_length=12)
    assert len(features) == len(examples)
    assert features.lengths().max() <= 12
    gold = [family.gold(example) for example in examples]
    assert oracle_predictions(task, features) == gold


@pytest.mark.parametrize("name", FAMILIES)
def test_examples_without_an_answer_are_encoded_and_have_no_label(name):
    task, family, example = TASKS[name], FAMILIES[name], UNKNOWN_ANSWERS[name]
    features = family.encode(task, [example], TOKENIZER, max_length=12)
    assert family.gold(example) is None
    assert set(features.labels.tolist()) == {UNLABELLED}
    assert len(features) == 1


@pytest.mark.parametrize("name", FAMILIES)
def test_no_examples_are_no_features(name):
    features = FAMILIES[name].encode(TASKS[name], [], TOKENIZER, max_length=12)
    assert len(features) == len(features.ids) == 0


@pytest.mark.parametrize(("name", "outputs"), [("classification", 3), ("tagging", 3), ("multiple_choice", 1)])
def test_the_head_is_as_wide_as_the_answers_need(name, outputs):
    assert FAMILIES[name].outputs(TASKS[name]) == outputs
    assert FAMILIES[name].per_token == (name == "tagging")


def test_classification_encodes_texts_and_pairs_as_they_are():
    examples = [TextExample("the cat", None, "maybe"), TextExample("a dog", "sat", "no")]
    features = FAMILIES["classification"].encode(TASKS["classification"], examples, TOKENIZER, 12)
    assert sequences(features) == encode_texts(TOKENIZER, [("the cat", None), ("a dog", "sat")], 12)
    assert features.labels.tolist() == [2, 0]
    assert not features.first_pieces.size


def test_multiple_choice_pairs_the_prompt_with_every_choice():
    examples = [ChoiceExample("the cat", ("sat", "ran"), 1), ChoiceExample("sun", ("good", "bad", "grey"), 0)]
    features = FAMILIES["multiple_choice"].encode(TASKS["multiple_choice"], examples, TOKENIZER, 12)
    pairs = [(example.prompt, choice) for example in examples for choice in example.choices]
    assert sequences(features) == encode_texts(TOKENIZER, pairs, 12)
    assert features.widths().tolist() == [2, 3]
    assert features.labels.tolist() == [1, 0]


def test_the_first_of_equal_choices_wins():
    features = FAMILIES["multiple_choice"].encode(
        TASKS["multiple_choice"], [UNKNOWN_ANSWERS["multiple_choice"]], TOKENIZER, 12
    )
    scores = np.array([[1.0], [2.0], [2.0]], np.float32)
    assert FAMILIES["multiple_choice"].decode(TASKS["multiple_choice"], features, 0, scores) == 1


def test_tagging_puts_labels_at_first_pieces_only():
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
    assert features.first_pieces.tolist() == [label != UNLABELLED for label in features.labels]


@settings(max_examples=60)
@given(example=EXAMPLES["tagging"], max_length=st.integers(3, 16))
def test_tagging_has_one_label_for_every_word_in_order_across_windows(example, max_length):
    features = FAMILIES["tagging"].encode(TASKS["tagging"], [example], TOKENIZER, max_length)
    assert [LABELS["tagging"][label] for label in features.labels[features.first_pieces]] == list(example.tags)
    assert set(features.labels[~features.first_pieces].tolist()) == {UNLABELLED}
