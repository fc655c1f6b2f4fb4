"""Tests that stand in the training data, and languages that a tokenizer cannot read."""

import json
from dataclasses import replace

import pytest

from lowres_stilts.data.examples import ChoiceExample, Question, TaggedSentence, TextExample
from lowres_stilts.display import Display
from lowres_stilts.evaluation.table import worries
from lowres_stilts.pipeline import run
from lowres_stilts.pipeline.data_remarks import cut_into_pieces, on_data, seen_in_training
from lowres_stilts.pipeline.material import Material
from lowres_stilts.recipe import Recipe
from tests.project import write_project
from tests.tiny import tiny_tokenizer


def material_of(tmp_path, tests, *, trained=None):
    """A project's own, with other test examples, and with these training examples of the target."""
    recipe = Recipe.load(write_project(tmp_path, tmp_path / "model", examples=12), ["evaluate.languages=[en]"])
    material = Material.of(recipe)
    target = material.target_set if trained is None else replace(material.target_set, train=trained)
    return replace(material, test=tests, target_set=target, intermediate=())


@pytest.mark.parametrize(
    ("trained", "seen", "new"),
    [
        (TextExample("a  cat", None, "x"), TextExample(" a cat\n", None, "y"), TextExample("a dog", None, "x")),
        (TextExample("a", "b c", "x"), TextExample("a", "b\tc", None), TextExample("a b", "c", "x")),
        (
            TaggedSentence(("a", "cat"), ("X", "Y")),
            TaggedSentence(("a", "cat"), None),
            TaggedSentence(("a",), None),
        ),
        (ChoiceExample("a", ("b", "c"), 0), ChoiceExample("a", ("b", "c"), 1), ChoiceExample("a", ("c", "b"), 0)),
        (Question("1", "who", "Ann", ()), Question("2", "who", "Ann", None), Question("1", "when", "Ann", ())),
    ],
)
def test_the_same_texts_are_found_whatever_their_spaces_and_labels(trained, seen, new, tmp_path):
    material = material_of(tmp_path, {"sw": [seen, new, new, new], "ur": [new]}, trained=[trained])
    assert seen_in_training(material) == {"mood": {"sw": {"count": 1, "share": 0.25}}}


def test_intermediate_tasks_count_too(tmp_path):
    recipe = Recipe.load(write_project(tmp_path, tmp_path / "model", examples=12))
    material = Material.of(recipe)
    (first,) = material.intermediate
    known = list(first.train)[:3]
    found = seen_in_training(replace(material, test={"sw": known}))
    assert found["choice"] == {"sw": {"count": 3, "share": 1.0}}


def test_pieces_are_counted_in_each_language(tmp_path):
    tests = {
        "en": [TextExample("the cat sat", None, None)],
        "xx": [TextExample("xyzzy plugh", None, None)],
        "nqo": [TextExample("ߒߞߏ ߦߋ߫", None, None)],
    }
    pieces = cut_into_pieces(material_of(tmp_path, tests), tiny_tokenizer())
    assert pieces["xx"] == {"per_character": 1.0, "unknown": 0.0}
    told = on_data("mood", {}, pieces)
    assert len(told) == 2
    assert "lacks characters of nqo 100%" in told[0]
    assert "cuts words of xx into characters" in told[1]


def test_few_duplicates_are_not_remarked_on():
    seen = {"panx": {"en": {"count": 325, "share": 0.0325}, "af": {"count": 7, "share": 0.007}}}
    (told,) = on_data("panx", seen, {})
    assert told == "panx: texts of the test stand in the training data of panx: en 3%"
    many = {"panx": {f"l{number}": {"count": 1, "share": 0.5 + number / 100} for number in range(10)}}
    (told,) = on_data("panx", many, {})
    assert told.endswith("panx: l9 59%, l8 58%, l7 57%, l6 56%, l5 55%, l4 54%, l3 53%, l2 52% and 2 more")


def test_a_run_tells_and_keeps_them(tmp_path, tiny_model, private_cache, capsys):
    recipe = Recipe.load(
        write_project(tmp_path, tiny_model, examples=12, target__transfer="none", target__task="tags"),
        ["intermediate=null", "evaluate.languages=[en]", "target.train.epochs=1"],
    )
    train = tmp_path / "data" / "tags-train-en.tsv"
    (tmp_path / "data" / "tags-test-en.tsv").write_text(train.read_text())
    results = run(recipe, tmp_path / "run", display=Display())
    assert results["seen_in_training"] == {"tags": {"en": {"count": 12, "share": 1.0}}}
    (remark,) = results["remarks"]
    assert remark == "tags: texts of the test stand in the training data of tags: en 100%"
    assert f"warning: {remark}" in capsys.readouterr().err
    assert remark in worries(results)
    assert results["pieces"]["en"]["per_character"] < 0.5
    (phase,) = results["phases"]
    parts = phase["tasks"]["tags"]["dev_parts"]
    assert set(parts) == {"precision", "recall"}
    assert json.loads((tmp_path / "run" / "results.json").read_text())["remarks"] == [remark]
