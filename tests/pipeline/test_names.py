"""Names of phases, and folders of predictions, by the names in a recipe."""

from pathlib import Path

import pytest

from lowres_stilts.evaluation.submission import prediction_file
from lowres_stilts.names import file_name, module_name
from lowres_stilts.pipeline.folder import RunFolder
from lowres_stilts.pipeline.names import intermediate_names, language_name
from lowres_stilts.recipe import Recipe
from lowres_stilts.tasks.catalog import REGISTRY

OWN = {"family": "retrieval", "languages": ["sw"]}


def recipe(*tasks):
    return Recipe.model_validate(
        {
            "name": "r",
            "model": {"id": "m"},
            "data": {"source": "files"},
            "tasks": dict.fromkeys(tasks, OWN),
            "intermediate": {"tasks": list(tasks)},
            "target": {"task": "xnli", "transfer": "fuse"},
        }
    )


def test_phases_of_plain_names_are_called_as_they_were():
    assert intermediate_names(recipe("anli+", "my_task", "starter-topic")) == [
        "1-intermediate-1-anli",
        "1-intermediate-2-my-task",
        "1-intermediate-3-starter-topic",
    ]
    assert language_name("en") == "0-language-en"
    assert language_name("zh-CN") == "0-language-zh-CN"


def test_phases_of_other_names_differ_and_are_modules():
    names = intermediate_names(recipe("zwei Fragen", "zwei-Fragen", "täglich", "中文"))
    assert names[:3] == [
        "1-intermediate-1-zwei-Fragen",
        "1-intermediate-2-zwei-Fragen",
        "1-intermediate-3-taglich",
    ]
    assert len(set(names)) == 4
    for name in [*names, language_name("Suahili (Kenia)"), language_name("a.b")]:
        assert module_name(name.rstrip("-")) == name.rstrip("-") or name.startswith("0-language")
    assert language_name("a.b") != language_name("a-b")


@pytest.mark.parametrize("name", ["xnli", "anli+", "udpos", "mewslix"])
def test_predictions_of_the_catalogue_lie_where_the_benchmark_wants_them(name):
    folder = RunFolder(Path("run"))
    assert folder.predictions("predictions", name, "test-sw.tsv") == Path(f"run/predictions/{name}/test-sw.tsv")
    assert prediction_file(REGISTRY["xnli"], "test", "zh-CN") == "test-zh-CN.tsv"


@pytest.mark.parametrize("name", ["../x", "/etc", "a/b", "zwei Fragen", "..", "x" * 300])
def test_predictions_stay_in_their_folder(name):
    path = RunFolder(Path("/run")).predictions(
        "predictions", name, prediction_file(REGISTRY["xnli"], "test", name)
    )
    assert path == Path("/run/predictions") / file_name(name) / f"test-{file_name(name)}.tsv"
    assert path.resolve().parent.parent == Path("/run/predictions")
