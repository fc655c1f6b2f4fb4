import pytest

from lowres_stilts.study.load import load_study
from lowres_stilts.study.plan import make_plan
from lowres_stilts.tasks.load import find_languages, find_task, open_source
from tests.conftest import ROOT

NAMES = ("phang2020", "model-scale", "domain-shift", "data-scale", "multilingual")
STUDIES = sorted((ROOT / "configs" / "studies").glob("*.yaml"))


def test_every_study_has_a_small_and_a_full_form():
    assert {path.stem for path in STUDIES} == {f"{name}-{form}" for name in NAMES for form in ("small", "full")}


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_study_is_valid_and_its_plan_shares_work(path):
    study, recipes = load_study(path)
    assert study.name == path.stem
    assert len(study.axes.seeds) >= 2  # one could show nothing
    plan = make_plan(recipes)
    assert len(plan.cells) == len(recipes)
    assert plan.shared > 0
    assert study.claims


@pytest.mark.benchmark_data
@pytest.mark.parametrize("name", NAMES)
def test_small_studies_find_their_files(name, benchmark_data):
    path = ROOT / "configs" / "studies" / f"{name}-small.yaml"
    _, recipes = load_study(path, [f"recipe.data.dir={benchmark_data}"])
    seen = set()
    for setting, recipe in recipes.items():
        if (setting.target, setting.intermediate) in seen:
            continue
        seen.add((setting.target, setting.intermediate))
        source = open_source(recipe.data)
        target = find_task(recipe.target.task, recipe.tasks, "target.task")
        languages = find_languages(recipe.evaluate.languages, target, source, recipe.evaluate.split)
        assert languages
        if target.family != "retrieval":
            assert next(iter(source.examples(target, "train", "en")))
            tested = source.examples(target, recipe.evaluate.split, languages[-1])
            assert next(iter(tested))
        else:
            assert len(source.pool(target, recipe.evaluate.split, languages[0]))
        for task in recipe.intermediate.tasks:
            found = find_task(task, recipe.tasks, "intermediate.tasks")
            for language in recipe.intermediate.languages.get(task, ["en"]):
                assert next(iter(source.examples(found, "train", language)))
