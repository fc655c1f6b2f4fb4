"""Settings that the data chooses."""

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.errors import UsageError
from lowres_stilts.pipeline import run
from lowres_stilts.pipeline.hyperparameters import (
    FEWEST_PER_BATCH,
    LARGEST_BATCH,
    LEAST_UPDATES,
    LOOKS,
    MOST_TOKENS,
    SMALLEST_BATCH,
    Amount,
    choose,
)
from lowres_stilts.pipeline.identity import phase_keys
from lowres_stilts.recipe import Recipe
from lowres_stilts.recipe.training import TrainSettings
from tests.project import write_project

EMPTY = {"intermediate__train": {}, "target__train": {}}
amounts = st.builds(
    lambda examples, each: Amount(examples, examples * each), st.integers(10, 500_000), st.floats(3, 400)
)


def chosen(amount, *, width=384, one_layer=True, **given_):
    return choose(TrainSettings(**given_), [amount], width=width, one_layer=one_layer)


@given(amounts)
def test_there_are_enough_updates_and_not_too_many_tokens(amount):
    pace = chosen(amount).pace
    updates = pace.epochs * math.ceil(amount.tokens / pace.tokens_per_batch)
    assert SMALLEST_BATCH <= pace.tokens_per_batch <= LARGEST_BATCH
    assert pace.epochs == 1 or pace.epochs * amount.tokens <= MOST_TOKENS
    assert updates >= LEAST_UPDATES or (pace.epochs + 1) * amount.tokens > MOST_TOKENS


@given(amounts, st.integers(1, 50))
def test_batches_shrink_until_a_given_number_of_epochs_makes_enough_updates(amount, epochs):
    pace = chosen(amount, epochs=epochs).pace
    rounded = 2**0.5  # to a power of two
    updates = epochs * math.ceil(amount.tokens / pace.tokens_per_batch)
    smallest = max(SMALLEST_BATCH, rounded * FEWEST_PER_BATCH * amount.tokens / amount.examples)
    assert pace.epochs == epochs
    assert updates >= LEAST_UPDATES / rounded or pace.tokens_per_batch <= smallest


@given(amounts)
def test_what_is_given_stays(amount):
    given_ = TrainSettings(epochs=7, lr=2e-5, head_lr=0.1, tokens_per_batch=99, evaluate_every=3)
    assert choose(given_, [amount], width=1024, one_layer=True) == given_


def test_a_rate_that_is_given_alone_is_the_head_s_too():
    assert chosen(Amount(100, 1000.0), lr=5e-4).pace.head_lr == 5e-4
    assert chosen(Amount(100, 1000.0), head_lr=5e-4).pace.head_lr == 5e-4


def test_wider_encoders_learn_slower_and_deep_heads_as_slow_as_modules():
    paces = [chosen(Amount(100, 1000.0), width=width, one_layer=False).pace for width in (128, 384, 768, 1024)]
    assert [pace.lr for pace in paces] == [1e-3, 1e-3, 5e-4, 3.8e-4]
    assert all(pace.head_lr == pace.lr for pace in paces)


def test_many_epochs_are_looked_at_now_and_then():
    train = chosen(Amount(30, 300.0))
    updates = train.pace.epochs * math.ceil(300 / train.pace.tokens_per_batch)
    assert train.epochs > LOOKS
    assert updates / train.evaluate_every <= LOOKS
    assert chosen(Amount(30, 300.0), epochs=50).evaluate_every is None


def test_modules_apart_are_trained_long_enough_for_the_smallest():
    small, large = Amount(100, 1000.0), Amount(40_000, 1_000_000.0)
    assert choose(TrainSettings(), [small, large], width=384, one_layer=True).epochs == 3
    assert choose(TrainSettings(), [small, small], width=384, one_layer=True).epochs > 3


@pytest.fixture
def bare(tmp_path, tiny_model, private_cache):
    """A recipe that says nothing of training."""
    return Recipe.load(write_project(tmp_path, tiny_model, examples=30, **EMPTY), {"evaluate.languages": ["sw"]})


def test_a_run_keeps_what_it_chose(bare, tmp_path, capsys):
    bare = bare.changed({"intermediate.train.epochs": 1, "evaluate.baseline": False})
    results = run(bare, tmp_path / "run")
    resolved = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())
    assert results["recipe"] == resolved
    assert "target: chosen by the data: epochs" in capsys.readouterr().err
    for section, phase in (("intermediate", "1-intermediate"), ("target", "2-target")):
        (told,) = [each for each in results["phases"] if each["phase"] == phase]
        train = resolved[section]["train"]
        assert {key: told[key] for key in ("epochs", "lr", "tokens_per_batch")} == {
            key: train[key] for key in ("epochs", "lr", "tokens_per_batch")
        }
        assert told["updates"] >= (LEAST_UPDATES if section == "target" else 1)
    assert results["scores"]["mood"]["sw"]["value"] > 60
    # Resumed by the recipe as it was, with numbers or without.
    assert run(bare, tmp_path / "run", resume=True) == results
    assert run(Recipe.load(tmp_path / "run" / "recipe.yaml"), tmp_path / "run", resume=True) == results


def test_a_run_that_chose_is_not_resumed_with_other_numbers(bare, tmp_path):
    run(bare.changed({"target.train.epochs": 1, "intermediate.train.epochs": 1}), tmp_path / "run")
    (tmp_path / "run" / "results.json").unlink()
    with pytest.raises(UsageError, match=r"another target\.train\.epochs \(1, now"):
        run(bare.changed({"intermediate.train.epochs": 1}), tmp_path / "run", resume=True)


def test_keys_tell_chosen_settings_from_given_ones(bare):
    keys = [phase_keys(bare.changed(changes)) for changes in ({}, {"target.train.epochs": 3})]
    assert keys[0]["2-target"] != keys[1]["2-target"]
    assert keys[0]["1-intermediate"] == keys[1]["1-intermediate"]
