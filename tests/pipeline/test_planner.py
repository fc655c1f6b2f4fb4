import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowres_stilts.encoder.load import read_config
from lowres_stilts.pipeline.duration import batches, settled_here
from lowres_stilts.pipeline.hardware import UNLIMITED, Place, this_place
from lowres_stilts.pipeline.hyperparameters import LARGEST_BATCH, LEAST_UPDATES
from lowres_stilts.pipeline.planner import advice, fit_recipe, peak_bytes, plan_recipe, planned_phases
from lowres_stilts.recipe import Recipe
from tests.commands import ask
from tests.project import write_project


def _recipe(folder, model, **changes):
    return Recipe.load(write_project(folder / "p", model, **changes))


def _fit(recipe, budget, *, cuda=True):
    return fit_recipe(recipe, read_config(recipe.model.id), Place(cuda=cuda, budget=budget))


def test_with_memory_enough_nothing_is_changed(tiny_model, tmp_path):
    recipe = _recipe(tmp_path, tiny_model)
    choices = _fit(recipe, UNLIMITED)
    assert [choice.section for choice in choices] == ["intermediate", "target"]
    assert all(choice.fits and choice.parts == 1 and not choice.gradient_checkpointing for choice in choices)


@settings(max_examples=8)
@given(st.integers(0, 40))
def test_what_is_chosen_fits_or_is_the_smallest_there_is(tiny_model, tmp_path_factory, step):
    recipe = _recipe(tmp_path_factory.mktemp("p"), tiny_model)
    train = recipe.target.train.model_copy(update={"tokens_per_batch": 4096})
    recipe = recipe.model_copy(update={"target": recipe.target.model_copy(update={"train": train})})
    whole = _fit(recipe, UNLIMITED)[-1].peak_bytes
    smallest = _fit(recipe, 0)[-1]
    budget = smallest.peak_bytes + (whole - smallest.peak_bytes) * step // 40
    chosen = _fit(recipe, budget)[-1]
    assert chosen.fits
    assert chosen.peak_bytes <= budget
    assert chosen.tokens_per_batch == 4096
    assert chosen.tokens_at_once * chosen.parts >= 4096


def test_what_does_not_fit_says_so_and_what_helps(tiny_model, tmp_path):
    recipe = _recipe(tmp_path, tiny_model, model__embeddings="none", model__quantize="none")
    smallest = max(choice.peak_bytes for choice in _fit(recipe, 0))
    choices = _fit(recipe, smallest - 1)
    assert not all(choice.fits for choice in choices)
    place = Place(cuda=True, budget=smallest - 1)
    changes = advice(recipe, read_config(recipe.model.id), place)
    assert "model.embeddings: nf4" in changes
    assert advice(recipe, read_config(recipe.model.id), Place(cuda=True, budget=0))[0].startswith(
        "a smaller encoder"
    )


@pytest.mark.parametrize(
    ("mode", "sections"),
    [("stack", 2), ("continue", 2), ("fuse", 2), ("merge", 2), ("none", 1)],
)
def test_all_transfer_modes_can_be_planned(tiny_model, tmp_path, mode, sections):
    changes = {"target__module": None} if mode == "continue" else {}
    recipe = _recipe(tmp_path, tiny_model, target__transfer=mode, **changes)
    assert len(list(planned_phases(recipe))) == sections
    assert len(_fit(recipe, UNLIMITED)) == sections


def test_longer_batches_and_larger_ranks_take_more(tiny_model, tmp_path):
    small, wide, long = (
        _fit(_recipe(tmp_path / str(n), tiny_model, **changes), UNLIMITED, cuda=False)[-1]
        for n, changes in enumerate(
            [{}, {"target__module": {"rank": 16, "alpha": 8}}, {"target__train": {"tokens_per_batch": 2048}}]
        )
    )
    assert small.peak_bytes < wide.peak_bytes
    assert small.peak_bytes < long.peak_bytes
    assert small.flops < long.flops


def test_this_machine_has_memory():
    assert 0 < this_place("cpu").budget < UNLIMITED


def test_the_command_prints_what_fits_and_exits_with_1_where_it_does_not(tiny_model, tmp_path):
    path = write_project(tmp_path / "p", tiny_model)
    done = ask("plan", path, "--vram", "8GiB", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["fits"]
    assert found["memory_bytes"] == 8 * 1024**3
    assert [phase["section"] for phase in found["phases"]] == ["intermediate", "target"]
    tight = ask("plan", path, "--vram", "1MB")
    assert tight.returncode == 1
    assert "does not fit" in tight.stdout
    assert "would fit with a smaller encoder" in tight.stdout
    here = ask("plan", path, "--json")
    assert json.loads(here.stdout)["training_seconds"] > 0


@pytest.mark.parametrize("size", ["eight", "8 gigs", "-1GB", ""])
def test_a_size_that_is_none_is_refused(tiny_model, tmp_path, size):
    from lowres_stilts.cli.plan import parse_size
    from lowres_stilts.errors import UsageError

    with pytest.raises(UsageError, match="write 8GiB or 24GB"):
        parse_size(size)


@pytest.mark.parametrize(
    ("text", "size"),
    [("8GiB", 8 * 1024**3), ("24 GB", 24 * 10**9), ("1.5gb", 1.5e9), ("8", 8e9), ("500B", 500), ("2MiB", 2**21)],
)
def test_sizes_are_read(text, size):
    from lowres_stilts.cli.plan import parse_size

    assert parse_size(text) == size


def test_planning_does_not_read_the_weights(tiny_model, tmp_path):
    """The configuration is enough: the folder of this model has no weights at all."""
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "config.json").write_bytes((tiny_model / "config.json").read_bytes())
    path = write_project(tmp_path / "p", bare)
    recipe = Recipe.load(path)
    assert len(fit_recipe(recipe, read_config(recipe.model.id), Place(True, 10**12))) == 2


def test_adapters_of_other_languages_are_counted(tiny_model, tmp_path):
    def peak(*languages):
        bottleneck = {"kind": "bottleneck", "reduction": 2}
        recipe = _recipe(
            tmp_path / str(len(languages)),
            tiny_model,
            languages={"adapters": ["en", *languages], "train": {"tokens_per_batch": 128}},
            intermediate__module=bottleneck,
            target__module=bottleneck,
        )
        return [choice.peak_bytes for choice in _fit(recipe, UNLIMITED)]

    assert all(more > few for few, more in zip(peak("sw"), peak("sw", "ur", "qu"), strict=True))


def test_a_search_of_pools_is_planned(tiny_model, tmp_path):
    recipe = _recipe(tmp_path, tiny_model, target={"task": "pairs"}, evaluate__tokens_per_batch=65536)
    config = read_config(recipe.model.id)
    place = Place(cuda=False, budget=UNLIMITED)
    planned = plan_recipe(recipe, config, place)
    assert [choice.section for choice in planned.choices] == ["intermediate"]
    searched = peak_bytes(recipe, config, place, "target")
    assert planned.peak_bytes == max(searched, planned.choices[0].peak_bytes)
    assert searched > peak_bytes(recipe.changed({"evaluate.tokens_per_batch": 1024}), config, place, "target")
    assert not plan_recipe(recipe, config, Place(cuda=False, budget=searched - 1)).fits


def test_what_the_data_decides_is_planned_with(tiny_model, tmp_path):
    path = write_project(tmp_path / "p", tiny_model, intermediate__train={}, target__train={})
    settled, tokens = settled_here(Recipe.load(path))
    told = json.loads(ask("plan", path, "--json").stdout)
    pace = settled.target.train.pace
    assert [phase["tokens_per_batch"] for phase in told["phases"]][-1] == pace.tokens_per_batch < LARGEST_BATCH
    assert batches(settled, tokens) >= 2 * LEAST_UPDATES
    away = json.loads(ask("plan", path, "--set", "data.dir=nowhere", "--json").stdout)
    assert {phase["tokens_per_batch"] for phase in away["phases"]} == {LARGEST_BATCH}


def test_a_run_plans_the_phases_that_may_be_fitted(tiny_model, tmp_path):
    recipe = _recipe(tmp_path, tiny_model, intermediate__train={"fit": True}, target__train={"fit": False})
    assert [choice.section for choice in _fit(recipe, UNLIMITED)] == ["intermediate", "target"]
    place = Place(cuda=False, budget=UNLIMITED)
    fitted = fit_recipe(recipe, read_config(recipe.model.id), place, unfitted=False)
    assert [choice.section for choice in fitted] == ["intermediate"]
