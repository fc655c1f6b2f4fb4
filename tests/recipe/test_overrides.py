"""Single keys of a recipe, given on the command line."""

import pytest

from lowres_stilts.recipe import Recipe
from tests.recipe.recipes import GOOD, refusal


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("evaluate.languages=[sw, no]", "evaluate.languages", ["sw", "no"]),
        ("evaluate.languages=[on, off, y, true-land]", "evaluate.languages", ["on", "off", "y", "true-land"]),
        ("target.train.lr=1e-4", "target.train.lr", 1e-4),
        ("target.train.lr=2.5E-5", "target.train.lr", 2.5e-5),
        ("target.train.lr=.5", "target.train.lr", 0.5),
        ("target.train.lr=1", "target.train.lr", 1.0),
        ("target.train.head_lr=null", "target.train.head_lr", None),
        ("seed=7", "seed", 7),
        (" seed =7", "seed", 7),
        ("seed=-7", "seed", -7),
        ("evaluate.baseline=false", "evaluate.baseline", False),
        ("evaluate.baseline=no", "evaluate.baseline", False),
        ("name=no", "name", "no"),
        ("name=2001-01-01", "name", "2001-01-01"),
        ("name=''", "name", ""),
        ("model.id=a=b", "model.id", "a=b"),
        ("evaluate.retrieval.prefix='query: '", "evaluate.retrieval.prefix", "query: "),
        ("intermediate.module={rank: 4}", "intermediate.module.rank", 4),
        ("intermediate.module.targets=[query, value]", "intermediate.module.targets", ["query", "value"]),
    ],
)
def test_overrides_are_yaml(override, key, value, write):
    found = Recipe.load(write(GOOD), [override])
    for part in key.split("."):
        found = getattr(found, part)
    assert found == value
    assert type(found) is type(value)


def test_overrides_apply_in_order_and_make_the_sections_that_are_missing(write):
    overrides = ["evaluate.limit=1", "evaluate.limit=2", "evaluate.retrieval.layer=3", "seed=1"]
    recipe = Recipe.load(write(GOOD), overrides)
    assert (recipe.evaluate.limit, recipe.evaluate.retrieval.layer, recipe.seed) == (2, 3, 1)
    assert recipe.target.train.lr == 1e-4


def test_an_override_can_mend_the_file(write):
    path = write(GOOD.replace("name: small", "name: 3"))
    assert Recipe.load(path, ["name=three"]).name == "three"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "expected key=value, for instance seed=7 or target.train.epochs=1"),
        ("=3", "expected key=value"),
        ("a..b=3", "expected key=value"),
        ("name.first=3", "name is not a mapping"),
        ("intermediate.tasks.0=xnli", "tasks is not a mapping"),
        ("target.train.lr=fast", "target.train.lr: Input should be a valid number"),
        ("target.trian.lr=1", "target.trian: unknown key; did you mean 'train'?"),
        ("sede=1", "sede: unknown key; did you mean 'seed'?"),
        ("target={task: x, tsk: y}", "target.tsk: unknown key; did you mean 'task'?"),
    ],
)
def test_a_wrong_override_is_named(override, message, write):
    assert refusal(write(GOOD), [override]).startswith(f"--set {override}: {message}")


def test_a_wrong_value_of_a_section_that_an_override_made_is_named(write):
    message = refusal(write(GOOD), ["evaluate.retrieval.layer=deep"])
    assert message == (
        "--set evaluate.retrieval.layer=deep: evaluate.retrieval.layer: Input should be a valid integer, "
        "unable to parse string as an integer, found 'deep'"
    )


def test_a_missing_key_of_a_section_that_an_override_made_names_the_override(write):
    assert refusal(write(GOOD), ["tasks.mine.pair=true"]).startswith(
        "--set tasks.mine.pair=true: tasks.mine.family: missing key"
    )


@pytest.mark.parametrize("value", ["[1", "{a: 1, a: 2}", "'x"])
def test_an_override_that_is_no_yaml_is_named(value, write):
    assert refusal(write(GOOD), [f"seed={value}"]).startswith(f"--set seed={value}:1: ")


@pytest.mark.parametrize(("override", "key"), [("sede.a.b=1", "sede"), ("evalute.a=1", "evalute")])
def test_an_override_is_named_where_it_makes_a_section(override, key, write):
    assert refusal(write(GOOD), [override]).startswith(f"--set {override}: {key}: unknown key; did you mean")


@pytest.mark.parametrize(("override", "key"), [("seed=", "seed"), ("target={}", "target.task")])
def test_an_override_is_named_where_it_takes_something_away(override, key, write):
    assert refusal(write(GOOD), [override]).startswith(f"--set {override}: {key}: ")
