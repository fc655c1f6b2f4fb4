import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowres_stilts.errors import RecipeError
from lowres_stilts.recipe import Recipe, load_recipe
from lowres_stilts.recipe.load import dump_recipe

GOOD = """\
name: small
model:
  id: some/model
data:
  source: starter
intermediate:
  tasks: [starter-reply]
target:
  task: starter-topic
  train:
    lr: 1e-4
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "recipe.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_defaults_fill_the_rest(write):
    recipe = load_recipe(write(GOOD))
    assert recipe.target.train.lr == 1e-4
    assert (recipe.model.quantize, recipe.target.transfer, recipe.seed) == ("nf4", "stack", 13)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    lr: 1e-4", "    lrr: 1e-4", ":11: target.train.lrr: unknown key; did you mean 'lr'?"),
        ("name: small", "nmae: small\nname: small", ":1: nmae: unknown key; did you mean 'name'?"),
        ("    lr: 1e-4", "    lr: fast", ":11: target.train.lr: Input should be a valid number"),
        ("    lr: 1e-4", "    lr: -1", ":11: target.train.lr: Input should be greater than 0, found -1"),
        (
            "  id: some/model",
            "  id: some/model\n  quantize: nf5",
            ":4: model.quantize: Input should be 'none', 'int8' or",
        ),
        ("  id: some/model", "  compute: bf16", ":2: model.id: missing key"),
        (
            "intermediate:\n  tasks: [starter-reply]\n",
            "",
            "target.transfer is 'stack' but there is no intermediate",
        ),
        ("tasks: [starter-reply]", "tasks: []", ":7: intermediate.tasks: List should have at least 1 item"),
        ("name: small", "name: small\nname: big", ":2: key 'name' stands twice"),
        ("source: starter", "source: xtreme", ":4: data: source xtreme needs dir"),
        ("  tasks: [starter-reply]", "  tasks: [starter-reply", ": not valid YAML"),
        ("model:\n  id: some/model\n", "model: big\n", ":2: model: Input should be a valid dictionary"),
    ],
)
def test_a_mistake_names_line_and_key(write, old, new, message):
    assert old in GOOD
    path = write(GOOD.replace(old, new))
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just text", "3"])
def test_a_recipe_is_a_mapping(write, text):
    with pytest.raises(RecipeError, match=r":1: a recipe is a mapping of keys to values"):
        load_recipe(write(text))


def test_files_that_cannot_be_read_are_named(tmp_path, write):
    with pytest.raises(RecipeError, match=r"nothing\.yaml: cannot be read: No such file"):
        load_recipe(tmp_path / "nothing.yaml")
    with pytest.raises(RecipeError, match="cannot be read: not valid UTF-8"):
        load_recipe(write(b"name: \xff"))


def test_overrides_are_yaml(write):
    overrides = ["evaluate.languages=[sw, no]", "target.train.lr=2e-5", "seed=7", "evaluate.baseline=false"]
    recipe = load_recipe(write(GOOD), overrides)
    assert recipe.evaluate.languages == ["sw", "no"]
    assert (recipe.target.train.lr, recipe.seed, recipe.evaluate.baseline) == (2e-5, 7, False)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "--set seed: expected key=value"),
        ("=3", "--set =3: expected key=value"),
        ("name.first=3", "--set name.first=3: name is not a mapping"),
        ("target.train.lr=fast", "--set target.train.lr=fast: target.train.lr: Input should be a valid number"),
        ("target.trian.lr=1", "--set target.trian.lr=1: target.trian: unknown key; did you mean 'train'?"),
        ("seed=[1", "--set seed=[1:1: not valid YAML"),
    ],
)
def test_a_wrong_override_is_named(write, override, message):
    with pytest.raises(RecipeError) as caught:
        load_recipe(write(GOOD), [override])
    assert str(caught.value).startswith(message)


def test_what_is_written_reads_the_same(write):
    recipe = load_recipe(write(GOOD), ["evaluate.languages=[no, zh-TW]", "data.dir=some/where"])
    assert load_recipe(write(dump_recipe(recipe))) == recipe


@given(st.text(st.sampled_from("abname: mdl\n-[]{}\"'#&*!|>%@`,?1e.~\t"), max_size=60))
@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_stands_in_a_recipe_it_is_a_recipe_or_an_error(write, text):
    try:
        assert isinstance(load_recipe(write(text)), Recipe)
    except RecipeError as error:
        assert "\n" not in str(error)
