import numpy as np
import pytest

from lowres_stilts.data.examples import ChoiceExample, TaggedSentence, TextExample
from lowres_stilts.tasks.cache import cached_features
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.tasks.features import UNLABELLED
from lowres_stilts.tasks.registry import REGISTRY
from lowres_stilts.tasks.task import Task
from tests.tiny import tiny_tokenizer

TOKENIZER = tiny_tokenizer()
EXAMPLES = {
    "pawsx": [
        TextExample("the cat sat", "the dog", "1"),
        TextExample("tea", "sea", None),
        TextExample("a", "b", "0"),
    ],
    "xcopa": [ChoiceExample("the cat", ("sat", "ran"), 1), ChoiceExample("the", ("dog", "sun", "sea"), 0)],
    "udpos": [
        TaggedSentence(tuple("the cat sat zz".split()), ("DET", "NOUN", "VERB", "X")),
        TaggedSentence(tuple("tea rain".split() * 20), ("NOUN", "NOUN") * 20),
    ],
}


def _scores(task, features, index, gold):
    """Scores whose best output is the gold answer, over padded sequences."""
    first, last = features.examples[index], features.examples[index + 1]
    outputs = FAMILIES[task.family].outputs(task)
    if task.family != "tagging":
        scores = np.zeros((last - first, outputs), np.float32)
        place = (0, task.labels.index(gold)) if task.family == "classification" else (gold, 0)
        scores[place] = 1
        return scores
    spans = [(features.sequences[s], features.sequences[s + 1]) for s in range(first, last)]
    scores = np.zeros((len(spans), max(end - start for start, end in spans) + 3, outputs), np.float32)
    tags = iter(gold)
    for row, (start, end) in enumerate(spans):
        for position in np.flatnonzero(features.first_pieces[start:end]):
            scores[row, position, task.labels.index(next(tags))] = 1
    return scores


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_scores_that_say_gold_decode_to_gold(name):
    task, family = REGISTRY[name], FAMILIES[REGISTRY[name].family]
    features = family.encode(task, EXAMPLES[name], TOKENIZER, 16)
    assert len(features) == len(EXAMPLES[name])
    for index, example in enumerate(EXAMPLES[name]):
        gold = family.gold(example)
        if gold is not None:
            assert family.decode(task, features, index, _scores(task, features, index, gold)) == gold


def test_an_unlabelled_example_has_no_label():
    task = REGISTRY["pawsx"]
    features = FAMILIES[task.family].encode(task, EXAMPLES["pawsx"], TOKENIZER, 16)
    assert features.labels.tolist() == [1, UNLABELLED, 0]


def test_tags_stand_at_first_pieces_of_every_window():
    task = REGISTRY["udpos"]
    features = FAMILIES[task.family].encode(task, EXAMPLES["udpos"], TOKENIZER, 16)
    assert features.widths().tolist() == [1, 3]
    assert (features.labels != UNLABELLED).sum() == features.first_pieces.sum() == 44


def test_choices_may_be_uneven():
    task = REGISTRY["xcopa"]
    features = FAMILIES[task.family].encode(task, EXAMPLES["xcopa"], TOKENIZER, 16)
    assert features.widths().tolist() == [2, 3]


def test_features_are_made_once(private_cache, monkeypatch):
    task = REGISTRY["pawsx"]
    first = cached_features(task, EXAMPLES["pawsx"], TOKENIZER, 16)
    (file,) = (private_cache / "features").iterdir()
    monkeypatch.setattr(type(FAMILIES[task.family]), "encode", None)
    again = cached_features(task, EXAMPLES["pawsx"], TOKENIZER, 16)
    assert np.array_equal(first.ids, again.ids)
    monkeypatch.undo()
    monkeypatch.setenv("LOWRES_STILTS_CACHE", str(private_cache))
    cached_features(task, EXAMPLES["pawsx"], TOKENIZER, 8)
    cached_features(task, EXAMPLES["pawsx"][::-1], TOKENIZER, 16)
    assert len(list((private_cache / "features").iterdir())) == 3
    assert file.exists()


def test_adding_a_task_is_adding_a_record(tmp_path):
    from lowres_stilts.tasks.classification import text_reader
    from lowres_stilts.tasks.load import Source

    task = Task(
        name="mine",
        family="classification",
        summary="a task from outside",
        languages=("sw",),
        metric="accuracy",
        reader=text_reader("text", "label"),
        files={"test": "mine-{lang}.tsv"},
        labels=("yes", "no"),
    )
    (tmp_path / "mine-sw.tsv").write_text("the cat\tyes\n")
    assert Source(tmp_path).load(task, "test", "sw") == [TextExample("the cat", None, "yes")]
