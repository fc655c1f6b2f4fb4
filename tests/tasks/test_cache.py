import dataclasses

import pytest
from tokenizers import normalizers

from lowres_stilts.data.examples import TextExample
from lowres_stilts.tasks.cache import cached_features
from lowres_stilts.tasks.classification import text_reader
from lowres_stilts.tasks.features import pack
from lowres_stilts.tasks.task import Task
from tests.tiny import tiny_tokenizer

TASK = Task("mine", "classification", "", ("en",), "accuracy", text_reader("text", "label"), labels=("a", "b"))
EXAMPLES = [TextExample("the cat sat", None, "a"), TextExample("calm sea", None, "b")]


def lower_case():
    tokenizer = tiny_tokenizer()
    tokenizer.normalizer = normalizers.Lowercase()
    return tokenizer


@pytest.fixture
def features(private_cache):
    """Says how many files there are after a call."""

    def make(task=TASK, examples=EXAMPLES, tokenizer=None, max_length=16):
        made = cached_features(task, examples, tokenizer or tiny_tokenizer(), max_length)
        return made, len(list((private_cache / "features").iterdir()))

    return make


def test_features_are_made_once(features, private_cache):
    first, _ = features()
    (path,) = (private_cache / "features").iterdir()
    pack([[[0, 5, 2]]], [1]).save(path)
    second, files = features()
    assert (len(first), len(second), files) == (2, 1, 1)


def test_a_tokenizer_that_truncated_before_finds_the_same_features(features):
    features()
    tokenizer = tiny_tokenizer()
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=9)
    made, files = features(tokenizer=tokenizer)
    assert (made.lengths().tolist(), files) == ([5, 4], 1)


@pytest.mark.parametrize(
    "change",
    [
        {"max_length": 4},
        {"examples": EXAMPLES[::-1]},
        {"examples": EXAMPLES[:1]},
        {"examples": [EXAMPLES[0], dataclasses.replace(EXAMPLES[1], label="a")]},
        {"examples": [EXAMPLES[0], dataclasses.replace(EXAMPLES[1], text_pair="")]},
        {"task": dataclasses.replace(TASK, labels=("b", "a"))},
        {"tokenizer": lower_case()},
    ],
    ids=["length", "order", "fewer", "label", "pair", "labels", "tokenizer"],
)
def test_anything_that_changes_the_features_makes_new_ones(change, features):
    _, before = features()
    _, after = features(**change)
    assert (before, after) == (1, 2)
