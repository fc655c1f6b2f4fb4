import dataclasses
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tokenizers import normalizers

from lowres_stilts.data.examples import Answer, Question, TaggedSentence, TextExample
from lowres_stilts.tasks import cache
from lowres_stilts.tasks.cache import cached_features, encode_in_parts, features_from
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.tasks.features import Features, pack, write_features
from lowres_stilts.tasks.task import Task
from tests.tiny import tiny_tokenizer

TASK = Task("mine", "classification", "", ("en",), "accuracy", labels=("a", "b"))
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
    shutil.rmtree(path)
    path.mkdir()
    write_features(path, [pack([[[0, 5, 2]]], [1])])
    second, files = features()
    assert (len(first), len(second), files) == (2, 1, 1)


def test_who_wants_the_same_at_the_same_time_waits_for_the_first(features, monkeypatch):
    made, begun = [], threading.Barrier(4)

    def slow(*arguments):
        made.append(arguments)
        time.sleep(0.1)
        return write_features(*arguments)

    def want(_):
        begun.wait()
        return arrays(features()[0])

    monkeypatch.setattr(cache, "write_features", slow)
    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(want, range(4))
    assert len(made) == 1
    assert others == [first] * 3


def arrays(features):
    return {name: (array.dtype, array.tolist()) for name, array in vars(features).items()}


MANY = {
    "classification": (
        TASK,
        [TextExample("the cat " * (1 + number % 5), None, "ab"[number % 2]) for number in range(2500)],
    ),
    "tagging": (
        Task("tags", "tagging", "", ("en",), "span_f1", labels=("O", "X")),
        [
            TaggedSentence(("the", "zebra") * (1 + number % 9), ("O", "X") * (1 + number % 9))
            for number in range(1001)
        ],
    ),
    "qa": (
        Task("answers", "qa", "", ("en",), "squad"),
        [
            Question(str(number), "the cat", "good sea " * (1 + number % 30), (Answer("sea", 5),))
            for number in range(2000)
        ],
    ),
    "mlm": (
        Task("mlm", "mlm", "", (), "accuracy"),
        [TextExample("calm sea " * (1 + number % 20), None, None) for number in range(1999)],
    ),
}


@pytest.mark.parametrize("family", MANY)
def test_features_from_disk_equal_those_in_memory_in_any_number_of_parts(family, features):
    task, examples = MANY[family]
    made, _ = features(task=task, examples=iter_again(examples))
    whole = FAMILIES[family].encode(task, examples, tiny_tokenizer(), 16)
    assert arrays(made) == arrays(whole)
    again, files = features(task=task, examples=examples)
    assert (arrays(again), files) == (arrays(whole), 1)


@pytest.mark.parametrize(("count", "sizes"), [(0, [0]), (1000, [1000]), (2500, [1000, 1000, 500])])
def test_a_thousand_examples_are_encoded_at_a_time(count, sizes):
    task, examples = MANY["classification"]
    assert [len(part) for part in encode_in_parts(task, examples[:count], tiny_tokenizer(), 16)] == sizes


def iter_again(examples):
    """Can be gone through anew, but has neither a length nor an order of its own."""

    class Streamed:
        def __iter__(self):
            return iter(examples)

    return Streamed()


class Drawer(dict):
    """A shelf within this process."""

    def take(self, key):
        return self.get(key)

    def put(self, key, files):
        self[key] = files


@pytest.mark.parametrize("family", MANY)
def test_features_from_a_shelf_are_the_same_and_are_not_made_again(family, tmp_path, monkeypatch):
    task, examples = MANY[family]
    shelf, made = Drawer(), []
    for place in ("a", "b"):
        monkeypatch.setenv("LOWRES_STILTS_CACHE", str(tmp_path / place))
        with features_from(shelf):
            made.append(cached_features(task, examples, tiny_tokenizer(), 16))
    assert arrays(made[0]) == arrays(made[1])
    ((key, files),) = shelf.items()
    first = tmp_path / "a" / "features" / key
    assert files == {path.name: path.read_bytes() for path in first.iterdir()}


def test_what_lies_on_the_shelf_is_taken(features, tmp_path):
    (tmp_path / "other").mkdir()
    write_features(tmp_path / "other", [pack([[[0, 5, 2]]], [1])])
    shelf = Drawer()
    with features_from(shelf):
        features()
    (key,) = shelf
    shutil.rmtree(tmp_path / "cache")
    shelf[key] = {path.name: path.read_bytes() for path in (tmp_path / "other").iterdir()}
    with features_from(shelf):
        made, files = features()
    assert (len(made), files) == (1, 1)


@pytest.mark.parametrize("name", ["ids", "shapes.json", "labels"])
@pytest.mark.parametrize("damage", ["cut", "missing", "of another kind"])
def test_a_damaged_cache_is_made_anew(name, damage, features, private_cache):
    first, _ = features()
    whole = arrays(first)
    (folder,) = (private_cache / "features").iterdir()
    if damage == "cut":
        (folder / name).write_bytes((folder / name).read_bytes()[:-3])
    elif damage == "missing":
        (folder / name).unlink()
    else:
        (folder / name).write_text("{}")
    second, files = features()
    assert (arrays(second), files) == (whole, 1)
    assert arrays(Features.load(folder)) == whole


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
