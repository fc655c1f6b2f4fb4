"""The plan's memory is the planner's, which is asked once for each setting."""

import pytest

from lowres_stilts.encoder.load import read_config
from lowres_stilts.pipeline.hardware import this_place
from lowres_stilts.pipeline.planner import fit_recipe
from lowres_stilts.study.estimate import estimate_plan, plan_lines
from lowres_stilts.study.load import load_study
from lowres_stilts.study.memory import Scales
from lowres_stilts.study.plan import make_plan
from tests.study.grids import write_study


@pytest.fixture
def recipes(tmp_path, tiny_model, private_cache):
    return load_study(write_study(tmp_path, tiny_model, axes__sizes=[10, 20]))[1]


def test_steps_take_what_the_planner_says_of_their_phase(recipes):
    scales = Scales()
    for step in make_plan(recipes).steps.values():
        recipe = step.recipe
        if recipe.seed != 1:
            continue  # weighed with the others, as the next test says
        choices = fit_recipe(recipe, read_config(recipe.model.id), this_place("cpu"))
        wanted = {choice.section: choice.peak_bytes for choice in choices}
        section = "target" if step.phase is None else "intermediate"
        if section in wanted:
            assert scales.peak_bytes(step) == wanted[section]
        else:
            assert 0 < scales.peak_bytes(step) < wanted.get("intermediate", 1 << 60)  # retrieval


def test_sizes_and_seeds_are_weighed_together(recipes):
    scales, steps = Scales(), make_plan(recipes).steps.values()
    peaks = [scales.peak_bytes(step) for step in steps]
    assert len(steps) > 16
    # Two intermediate tasks; a target after either or alone; retrieval is alike everywhere.
    assert len(scales._known) == 5
    assert len(set(peaks)) > 1


def test_without_the_model_it_is_not_known(recipes, tmp_path):
    gone = {
        setting: recipe.model_copy(update={"model": recipe.model.model_copy(update={"id": str(tmp_path / "no")})})
        for setting, recipe in recipes.items()
    }
    told = estimate_plan(gone, tmp_path / "study")
    assert all(step["peak_bytes"] is None for step in told["steps"])
    assert told["peak_bytes"] == 0
    assert not any("GB" in line for line in plan_lines(told))


def test_the_largest_step_is_told(recipes, tmp_path):
    told = estimate_plan(recipes, tmp_path / "study", workers=3)
    *steps, _, _, last = plan_lines(told)
    largest = f"{told['peak_bytes'] / 1e9:.2f} GB"
    assert last == f"the largest step takes {largest}, with 3 at once"
    assert any(largest in line for line in steps)
    assert all("GB" in line for line in steps)
