import json

import pytest

from lowres_stilts.data.examples import TextExample
from lowres_stilts.pipeline import run
from lowres_stilts.pipeline.remarks import on_dev, on_length, on_losses
from lowres_stilts.recipe import Recipe
from lowres_stilts.recipe.training import TrainSettings
from lowres_stilts.tasks.catalog import REGISTRY
from tests.project import write_project
from tests.sample_answers import ASKED, CHOICES, NAMES, TEXTS


@pytest.mark.parametrize(
    ("task", "examples", "bad", "good"),
    [
        ("pawsx", TEXTS, 66.0, 75.0),
        ("xcopa", CHOICES, 58.0, 62.0),
        ("panx", NAMES, 0.0, 9.0),
        ("xquad", ASKED, 1.5, 9.0),
    ],
)
def test_a_score_that_chance_could_have_is_remarked_on(task, examples, bad, good):
    (told,) = on_dev(REGISTRY[task], examples, bad, [])
    assert "nothing was learned" in told
    assert f"{bad:.1f} points" in told
    assert on_dev(REGISTRY[task], examples, good, []) == []


def test_one_answer_for_nearly_all_is_remarked_on_unless_it_is_right():
    (told,) = on_dev(REGISTRY["pawsx"], TEXTS, 80.0, ["1"] * 97 + ["0"] * 3)
    assert "'1'" in told
    assert on_dev(REGISTRY["pawsx"], TEXTS, 80.0, ["1"] * 90 + ["0"] * 10) == []
    ones = [TextExample("a", "b", "1")] * 100
    assert not any("nearly all" in line for line in on_dev(REGISTRY["pawsx"], ones, 100.0, ["1"] * 100))
    assert any("'O'" in line for line in on_dev(REGISTRY["panx"], NAMES, 30.0, [("O", "O", "O")] * 100))


def test_a_small_dev_set_is_remarked_on():
    assert any("30 dev examples are too few" in line for line in on_dev(REGISTRY["pawsx"], TEXTS[:30], 99.0, []))


def test_few_updates_are_remarked_on_with_what_to_change():
    (told,) = on_length(12, TrainSettings(epochs=3, lr=1e-3, tokens_per_batch=4096))
    assert "only 12 updates" in told
    assert "train.tokens_per_batch (now 4096)" in told
    assert "train.epochs (now 3)" in told
    assert on_length(100, TrainSettings(epochs=3, lr=1e-3, tokens_per_batch=4096)) == []


@pytest.mark.parametrize(
    ("losses", "remarked"),
    [
        ([1.1] * 40, True),
        ([1.0, 1.2] * 20, True),
        ([2.0 - 0.04 * n for n in range(40)], False),
        ([1.0] * 8, False),
    ],
)
def test_a_loss_that_does_not_fall_is_remarked_on(losses, remarked):
    assert bool(on_losses(losses)) is remarked


def test_a_run_tells_its_dev_scores_and_what_is_odd(tmp_path, tiny_model, private_cache, capsys):
    train = {"epochs": 1, "lr": 1e-9, "tokens_per_batch": 4096}
    recipe = write_project(tmp_path, tiny_model, target__train=train, target__transfer="none")
    results = run(Recipe.load(recipe), tmp_path / "run")
    told = capsys.readouterr().err
    assert "2-target: English dev: mood " in told
    assert "(weights of update 1 of 1)" in told
    (phase,) = results["phases"]
    assert "only 1 updates were made" in phase["remarks"][0]
    assert all(f"warning: 2-target: {remark}" in told for remark in phase["remarks"])
    assert json.loads((tmp_path / "run" / "results.json").read_text())["phases"] == results["phases"]
