"""Names of tasks and languages: files are named after them, so some are refused, with their line."""

import pytest

from lowres_stilts.errors import RecipeError
from lowres_stilts.recipe import Recipe
from tests.recipe.recipes import GOOD, refusal

OWN = GOOD + "tasks:\n  {name}: {{family: tagging, languages: [{language}], labels: [a, b]}}\n"


@pytest.mark.parametrize("name", ["anli+", "zwei Fragen", "täglich", "mood.sw", "a-b_c", "con", "中文"])
def test_a_name_that_files_can_have_in_some_way_is_taken(name, write):
    recipe = Recipe.load(write(OWN.format(name=f'"{name}"', language=f'"{name}"')))
    assert recipe.tasks[name].languages == [name]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ('"../x"', "../x: a name cannot begin with '.'"),
        ('"a/b"', "a/b: a name cannot have '/'"),
        (r'"a\\b"', "a\\b: a name cannot have '\\\\'"),
        ('"a..b"', "a..b: a name cannot have '..'"),
        ('"-o"', "-o: a name cannot begin with '-'"),
        (r'"a\tb"', r"a b: a\tb: a name cannot have control characters"),
        ('""', ": a name cannot be empty"),
    ],
)
def test_a_task_with_another_name_is_refused_with_its_line(name, problem, write):
    path = write(OWN.format(name=name, language="sw"))
    advice = "; use letters and digits, with '-', '_' or '.' between"
    assert refusal(path) == f"{path}:13: tasks.{problem}{advice}"


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("data.files={a/b: {test: x.tsv}}", "data.files.a/b"),
        ("data.revisions={a/b: main}", "data.revisions.a/b"),
        ("intermediate.languages={starter-reply: [a/b]}", "intermediate.languages.starter-reply.0"),
        ("languages={adapters: [en, a/b]}", "languages.adapters.1"),
        ("tasks={own: {family: retrieval, languages: [sw, a/b]}}", "tasks.own.languages.1"),
    ],
)
def test_so_is_every_other_place_that_names_a_task_or_a_language(override, key, write):
    assert refusal(write(GOOD), [override]).startswith(f"--set {override}: {key}: a name cannot have '/'")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            "labels: [a, b], columns: {txt: review}",
            "columns: 'txt' is no field of this task; its fields are text, label",
        ),
        ("labels: [a, b], columns: {text_pair: x}", "columns: 'text_pair' is no field of this task"),
        ("labels: [a, b], label_names: {x: c}", "label_names: 'c' is not one of the labels a, b"),
        ("labels: [a, b], delimiter: ';;'", "delimiter: "),
        ("labels: [a, b], delimiter: '\"'", "delimiter: "),
        ("labels: [a, b], quoting: all", "quoting: "),
        (
            "labels: [O, B-A], family: tagging, label_names: {x: B}",
            "label_names: 'B' is not one of the labels O, B-A",
        ),
        ("family: qa, header: true", "header: a qa task has no tables; remove it"),
        ("labels: [O, B-A], family: tagging, quoting: none", "quoting: a tagging task has no tables; remove it"),
    ],
)
def test_how_files_are_written_is_checked(settings, problem, write):
    family = "" if "family" in settings else "family: classification, "
    override = f"tasks={{own: {{{family}languages: [sw], {settings}}}}}"
    assert problem in refusal(write(GOOD), [override])


def test_how_files_are_written_is_told_in_the_fields_terms(write):
    own = (
        "{family: classification, languages: [sw], labels: [a, b], columns: {text: review}, delimiter: '|', "
        "header: false, quoting: none, label_names: {'1': a}}"
    )
    task = Recipe.load(write(GOOD), [f"tasks={{own: {own}}}"]).tasks["own"]
    assert (task.columns, task.delimiter, task.header, task.quoting) == ({"text": "review"}, "|", False, "none")
    assert task.label_names == {"1": "a"}


def test_a_task_that_nobody_describes_is_unknown_whatever_its_name(write):
    assert Recipe.load(write(GOOD), ["target.task=../x"]).target.task == "../x"


def test_a_recipe_that_another_version_stored_is_refused_in_one_line(write):
    values = Recipe.load(write(GOOD)).model_dump(mode="json")
    assert Recipe.stored(values, "runs/small").name == "small"
    task = {"family": "retrieval", "languages": ["sw"]}
    with pytest.raises(RecipeError, match=r"^the recipe in runs/small: tasks\.a/b: a name cannot have '/'"):
        Recipe.stored(values | {"tasks": {"a/b": task}}, "runs/small")
    with pytest.raises(RecipeError, match=r"^the recipe in runs/small: later: unknown key"):
        Recipe.stored(values | {"later": 1}, "runs/small")
