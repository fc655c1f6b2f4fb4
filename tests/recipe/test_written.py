"""What is written reads the same, and any text is a recipe or a clear error."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.errors import RecipeError
from lowres_stilts.names import problem_of
from lowres_stilts.recipe import Recipe
from tests.recipe.recipes import GOOD


def written_again(folder, recipe):
    path = folder / "resolved.yaml"
    path.write_text(recipe.as_yaml(), encoding="utf-8")
    return Recipe.load(path)


def test_what_is_written_has_every_default(write):
    values = yaml.safe_load(Recipe.load(write(GOOD)).as_yaml())
    assert list(values) == list(Recipe.model_fields)
    assert values["target"]["train"]["warmup"] == 0.1
    assert values["evaluate"]["retrieval"]["pooling"] == "mean"


PRINTABLE = st.text(st.characters(categories=["L", "M", "N", "P", "S"], include_characters=" "), max_size=12)
ODD_WORDS = st.sampled_from(
    ["no", "null", "~", "1", "0x1", "1:30", "=", "<<", "true", "2001-01-01", "", "- a", "#"]
)
# Not those that look like numbers with an exponent: see the test below.
TEXT = (PRINTABLE | ODD_WORDS).filter(lambda text: text.strip("+-_.0123456789eE") or "e" not in text.lower())
NAME = TEXT.map(lambda text: " ".join(text.split())).filter(lambda text: problem_of(text) is None)
RATE = st.floats(1e-8, 1e3, allow_nan=False)
TRAIN = st.fixed_dictionaries({"lr": RATE, "weight_decay": RATE, "warmup": st.floats(0, 1)})
MINE = st.fixed_dictionaries(
    {"family": st.just("tagging"), "languages": st.lists(NAME, min_size=1), "labels": st.just(["O", "no"])}
)
FILES = st.dictionaries(NAME, st.dictionaries(st.sampled_from(["train", "test"]), TEXT))
VALUES = st.fixed_dictionaries(
    {
        "name": TEXT,
        "model": st.fixed_dictionaries({"id": TEXT}, optional={"revision": st.none() | TEXT}),
        "data": st.fixed_dictionaries({"source": st.just("files")}, optional={"dir": TEXT, "files": FILES}),
        "target": st.fixed_dictionaries({"task": TEXT, "transfer": st.just("none")}, optional={"train": TRAIN}),
    },
    optional={
        "tasks": st.dictionaries(NAME, MINE, max_size=2),
        "evaluate": st.fixed_dictionaries({"languages": st.lists(TEXT) | st.just("all")}),
        "seed": st.integers(),
    },
)


@given(values=VALUES)
def test_what_is_written_reads_the_same(values, folder):
    recipe = Recipe.model_validate(values)
    assert written_again(folder, recipe) == recipe


@pytest.mark.parametrize("name", ["1e-4", "12e3", "1.5e5"])
def test_a_text_that_looks_like_a_number_is_written_as_a_text(name, write, folder):
    recipe = Recipe.load(write(GOOD), [f"name='{name}'"])
    assert written_again(folder, recipe) == recipe


def test_a_recipe_that_continues_reads_the_same(write, folder):
    recipe = Recipe.load(write(GOOD), ["target.transfer=continue"])
    assert written_again(folder, recipe) == recipe


def test_a_key_keeps_its_spaces(write):
    text = GOOD.replace("source: starter", "source: files\n  files: {'two  spaces': {}}")
    assert set(Recipe.load(write(text)).data.files) == {"two  spaces"}


ODD = st.sampled_from(
    [": ", "- ", "\n", "  ", "'", '"', "[", "]", "{", "}", ", ", "#", "|", ">", "&a ", "? ", "!!str ", "%", "@",
     "\t", "<<: ", "1e-4", "no", "null", "name", "model", "target:", "seed: ", "\u2028", "Ñ", "---\n", "...\n"]
)  # fmt: skip


def a_recipe_or_a_recipe_error(path, text):
    path.write_bytes(text.encode())
    try:
        assert isinstance(Recipe.load(path), Recipe)
    except RecipeError as error:
        assert str(error).startswith(str(path))
        assert "\n" not in str(error)


@given(text=st.lists(ODD, max_size=25).map("".join) | PRINTABLE)
def test_any_text_is_a_recipe_or_a_recipe_error(text, folder):
    a_recipe_or_a_recipe_error(folder / "any.yaml", text)


@given(start=st.integers(0, len(GOOD)), length=st.integers(0, 20), odd=st.lists(ODD, max_size=3).map("".join))
def test_a_damaged_recipe_is_a_recipe_or_a_recipe_error(start, length, odd, folder):
    a_recipe_or_a_recipe_error(folder / "damaged.yaml", GOOD[:start] + odd + GOOD[start + length :])
