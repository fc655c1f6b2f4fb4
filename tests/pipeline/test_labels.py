"""A target that is trained on labels of other languages than English, and what is said of it."""

import io
import json

import pytest
from rich.console import Console

from lowres_stilts.api import run as run_and_pack
from lowres_stilts.errors import DataError
from lowres_stilts.pipeline.identity import phase_keys
from lowres_stilts.pipeline.material import Material, more_than_english
from lowres_stilts.recipe import Recipe
from tests.project import LANGUAGES, write_project

FEW = {"epochs": 1, "lr": 2e-3, "tokens_per_batch": 128}
ENGLISH_FIRST = ["intermediate.tasks=[mood]", "target.train.languages=[sw]"]


@pytest.fixture
def recipe(tmp_path, tiny_model, private_cache):
    path = write_project(tmp_path, tiny_model, examples=24, intermediate__train=FEW, target__train=FEW)
    data = tmp_path / "data"
    rows = (data / "mood-train-en.tsv").read_text().splitlines()
    (data / "mood-train-sw.tsv").write_text("".join(f"{row}\n" for row in rows[:12]))

    def recipe(*settings):
        return Recipe.load(path, settings)

    return recipe


def test_training_and_dev_follow_the_languages(recipe, tmp_path):
    (tmp_path / "data" / "mood-dev-sw.tsv").write_text("glad smile\tglad\nrain\tsad\n")
    found = Material.of(recipe("target.train.languages=[sw, en]")).target_set
    assert (tuple(found.by_language), found.dev_languages) == (("sw", "en"), ("sw", "en"))
    assert (len(found.train), len(found.dev)) == (12 + 24, 2 + 24)
    assert found.dev[0].text == "glad smile"


def test_without_a_dev_file_some_training_examples_are_held_out(recipe):
    found = Material.of(recipe("target.train.languages=[sw]")).target_set
    assert (found.dev_languages, len(found.train), len(found.dev)) == (("sw",), 11, 1)
    found = Material.of(recipe("target.train.languages=[sw]", "target.train.holdout=0.25")).target_set
    assert (len(found.train), len(found.dev)) == (9, 3)


def test_a_language_without_a_file_is_named(recipe):
    with pytest.raises(DataError, match=r"mood-train-ur\.tsv"):
        Material.of(recipe("target.train.languages=[ur]"))


def test_keys_of_phases_know_the_languages_and_the_head(recipe):
    plain, few = phase_keys(recipe()), phase_keys(recipe("target.train.languages=[sw]"))
    assert plain["1-intermediate"] == few["1-intermediate"]
    assert plain["2-target"] != few["2-target"]
    assert plain["2-target-baseline"] != few["2-target-baseline"]
    kept = phase_keys(recipe("target.head=keep"))
    assert (kept["2-target"] != plain["2-target"], kept["2-target-baseline"]) == (True, plain["2-target-baseline"])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ([], set()),
        (["target.train.languages=[sw]"], {"sw"}),
        (ENGLISH_FIRST, {"en", "sw"}),
        ([*ENGLISH_FIRST, "target.transfer=none"], {"sw"}),
        (["intermediate.tasks=[mood]"], set()),
    ],
)
def test_a_recipe_says_whose_labels_it_learns(settings, expected, recipe):
    assert more_than_english(recipe(*settings)) == expected


def test_labels_and_zero_shot_are_told_apart_everywhere(recipe, tmp_path):
    done = run_and_pack(recipe(*ENGLISH_FIRST), tmp_path / "run", quiet=True)
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["evaluation"]["labelled"] == ["en", "sw"]
    assert done.labelled == ("en", "sw")
    assert set(results["scores"]["mood"]) == set(LANGUAGES)
    zero_shot = results["scores"]["mood"]["ur"]["value"]
    assert results["mean_zero_shot"]["mood"]["scores"]["value"] == pytest.approx(zero_shot)
    assert done.means["scores"].value == pytest.approx(zero_shot)
    shown = str(done)
    assert "sw, with labels" in shown
    assert "mean zero-shot" in shown
    assert "mean without en" not in shown
    package = done.packages["2-target"]
    card = (package / "README.md").read_text()
    assert "With labels of en, sw in training; zero-shot in the other languages, split test" in card
    assert "| mood | sw, with labels |" in card
    assert "| mood | ur |" in card
    assert json.loads((package / "stilts.json").read_text())["tasks"][0]["languages"] == {"sw": 11}
    assert (
        "Labels of mood in en, sw were learned: no score there is zero-shot; the mean is over ur, zero-shot."
        in (done.report.read_text())
    )
    told = (tmp_path / "run" / "log.jsonl").read_text()
    assert '"dev_languages": ["sw"]' in told


def test_a_card_of_labelled_languages_alone_does_not_call_them_zero_shot(recipe, tmp_path):
    settings = [*ENGLISH_FIRST, "evaluate.languages=[sw]", "evaluate.baseline=false"]
    done = run_and_pack(recipe(*settings), tmp_path / "run", quiet=True)
    assert done.means == {}
    card = (done.packages["2-target"] / "README.md").read_text()
    assert "With labels of en, sw in training, split test, all examples, in points" in card
    assert "ero-shot," not in card
    console = Console(file=io.StringIO(), width=100)
    console.print(done.table())
    assert "sw, with labels" in console.file.getvalue()
