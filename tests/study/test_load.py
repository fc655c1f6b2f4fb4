import pytest

from lowres_stilts.errors import RecipeError
from lowres_stilts.study.load import Setting, load_study
from lowres_stilts.study.plan import make_plan
from tests.study.grids import write_study


@pytest.fixture
def load(tmp_path, tiny_model):
    def load(*overrides, **changes):
        if any(key.startswith("axes") for key in changes):  # other values than the claims name
            changes.setdefault("claims", [])
        return load_study(write_study(tmp_path / "study", tiny_model, **changes), overrides)

    (tmp_path / "study").mkdir()
    return load


def test_every_combination_is_a_cell(load):
    study, recipes = load()
    assert len(recipes) == 2 * 2 * 2
    setting = Setting("tiny", "tags", "mood", None, "stack", "default", 2)
    recipe = recipes[setting]
    assert (recipe.intermediate.tasks, recipe.target.task, recipe.seed) == (["tags"], "mood", 2)
    assert study.axes.seeds == [1, 2]


def test_retrieval_gets_no_training(load):
    _, recipes = load()
    assert all(
        "train" not in recipe.target.model_fields_set
        for setting, recipe in recipes.items()
        if setting.target == "pairs"
    )


def test_exclude(load):
    _, recipes = load(exclude=[{"intermediate": "tags", "target": "pairs"}])
    assert len(recipes) == 6
    assert not [s for s in recipes if (s.intermediate, s.target) == ("tags", "pairs")]


def test_sizes_modules_and_languages(load):
    axes = {"sizes": [8, 16], "modules": {"small": {"intermediate": {"module": {"rank": 2}}}}, "languages": ["sw"]}
    _, recipes = load(**{f"axes__{key}": value for key, value in axes.items()})
    assert {recipe.intermediate.train.limit for recipe in recipes.values()} == {8, 16}
    assert {recipe.intermediate.module.rank for recipe in recipes.values()} == {2}
    assert {tuple(recipe.evaluate.languages) for recipe in recipes.values()} == {("sw",)}


def test_overrides(load):
    _, recipes = load("axes.seeds=[7]", "recipe.evaluate.limit=3")
    assert {recipe.seed for recipe in recipes} == {7}
    assert {recipe.evaluate.limit for recipe in recipes.values()} == {3}


def test_a_package_is_refused_with_its_line(load):
    with pytest.raises(RecipeError, match=r"study\.yaml:\d+: intermediate\.package: a study trains.*\(cell tiny"):
        load(axes__intermediate={"none": {}, "mine": {"intermediate": {"package": "adapters/mine"}}})


def test_shared_work_is_done_once(load):
    plan = make_plan(load()[1])
    kinds = [step.phase is not None for step in plan.steps.values()]
    # Two intermediate phases and two arms after them for each seed; mood alone by seed, the bare encoder once.
    assert (kinds.count(True), kinds.count(False)) == (4, 8 + 2 + 1)
    positions = {key: number for number, key in enumerate(plan.steps)}
    assert all(positions[need] < positions[key] for key, step in plan.steps.items() for need in step.needs)
    trained = 8 * 3  # intermediate, system, baseline
    assert plan.shared == trained - len(plan.steps)


def test_fused_tasks_share_their_modules_with_single_ones(load):
    both = {"both": {"intermediate": {"tasks": ["choice", "tags"]}}, "choice": None, "tags": None}
    _, recipes = load(axes__intermediate=both, axes__transfer=["fuse", "stack"], axes__targets=["mood"])
    plan = make_plan(recipes)
    phases = [step for step in plan.steps.values() if step.phase]
    # Choice, tags, and both in one module, by seed.
    assert len(phases) == 3 * 2


def test_merging_waits_for_the_baseline(load):
    _, recipes = load(axes__transfer=["merge"], axes__targets=["mood"], axes__seeds=[1])
    plan = make_plan(recipes)
    for cell in plan.cells:
        assert cell.baseline in plan.steps[cell.system].needs


def test_keys_follow_content_not_places(load, tmp_path, tiny_model):
    before = {cell.system for cell in make_plan(load()[1]).cells}
    (tmp_path / "elsewhere").mkdir()
    moved = load_study(write_study(tmp_path / "elsewhere", tiny_model))[1]
    assert {cell.system for cell in make_plan(moved).cells} == before
    file = tmp_path / "elsewhere" / "data" / "mood-test-sw.tsv"
    file.write_text(file.read_text() + "glad happy\tglad\n")
    changed = {cell.system for cell in make_plan(moved).cells}
    assert len(before - changed) == 4  # those of mood


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"axes__targets": {"mood": {"target": {"trian": {}}}}},
            "target.trian: unknown key; did you mean 'train'?",
        ),
        ({"axes__targets": ["moood"]}, "unknown task 'moood'"),
        ({"axis": {}}, "axis: unknown key; did you mean 'axes'?"),
        ({"axes__seeds": [1, 1]}, "axes.seeds names a value twice"),
        ({"claims": [{"text": "x", "kind": "more"}]}, "a claim of kind more needs than"),
        (
            {"claims": [{"text": "x", "kind": "gain", "of": {"target": "xnli"}}]},
            "claims.0.of.target: 'xnli' is no value",
        ),
        ({"recipe__model": {"quantise": "none"}}, "model.quantise: unknown key; did you mean 'quantize'?"),
    ],
)
def test_errors_name_key_and_line(load, changes, said):
    with pytest.raises(RecipeError) as caught:
        load(**changes)
    assert said in str(caught.value)
    assert "study.yaml:" in str(caught.value)


def test_a_recipe_is_told_its_command(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("name: one\ntarget: {task: xnli}\n")
    with pytest.raises(RecipeError) as caught:
        load_study(path)
    assert str(caught.value) == f"{path}:2: this is a recipe; its command is lowres-stilts run"
