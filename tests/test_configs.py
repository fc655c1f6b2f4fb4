import pytest

from lowres_stilts.recipe import Recipe
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.load import find_languages, find_task, open_source
from tests.conftest import ROOT

RECIPES = sorted(path for path in (ROOT / "configs").rglob("*.yaml") if path.parent.name != "studies")
TARGETS = ("xnli", "pawsx", "panx", "udpos", "xquad", "mlqa", "tydiqa", "xcopa", "tatoeba", "bucc2018")


def test_every_target_has_a_small_and_a_full_recipe():
    names = {path.stem for path in RECIPES}
    both = {f"{task}-{size}" for task in (*TARGETS, "multitask") for size in ("small", "full")}
    assert names == {"quickstart", "few-labels", *both}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_is_valid_and_names_real_tasks(path):
    recipe = Recipe.load(path)
    assert recipe.name == path.stem
    task = find_task(recipe.target.task, recipe.tasks, "target.task")
    assert (task.family == "retrieval") == ("train" not in recipe.target.model_fields_set)
    assert recipe.intermediate is not None
    assert set(recipe.intermediate.tasks) <= set(REGISTRY)


@pytest.mark.benchmark_data
@pytest.mark.parametrize("task", TARGETS)
def test_small_recipes_find_their_files(task, benchmark_data):
    recipe = Recipe.load(ROOT / "configs" / "xtreme" / f"{task}-small.yaml", [f"data.dir={benchmark_data}"])
    source = open_source(recipe.data)
    target = REGISTRY[task]
    languages = find_languages(recipe.evaluate.languages, target, source, recipe.evaluate.split)
    assert len(languages) >= {"mlqa": 5, "bucc2018": 1}.get(task, 7)
    splits = [] if target.family == "retrieval" else ["train"]
    for split in splits:
        assert list(source.examples(target, split, "en"))
