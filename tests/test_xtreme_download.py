"""Every recipe and study of full size on the folder that XTREME's download script fills."""

import json

import pytest

from lowres_stilts import Run
from lowres_stilts.pipeline.material import Material
from lowres_stilts.recipe import Recipe
from lowres_stilts.study.load import load_study
from tests.commands import ask
from tests.conftest import ROOT
from tests.xtreme_download import WITHHELD, write_download

RECIPES = sorted((ROOT / "configs" / "xtreme").glob("*-full.yaml"))
STUDIES = sorted((ROOT / "configs" / "studies").glob("*-full.yaml"))
ALWAYS_RUN = ("xquad-full", "tydiqa-full", "multitask-full")
"""Their test files have empty answers."""
LAYERS_OF_TINY_MODEL = 2


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    return write_download(tmp_path_factory.mktemp("download"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_full_recipe_finds_all_that_it_names(path, download):
    recipe = Recipe.load(path, [f"data.dir={download}"])
    material = Material.of(recipe)
    withheld = recipe.evaluate.split == "test" and material.target.name in WITHHELD
    assert material.without_answers == (list(material.test) if withheld else [])


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_full_study_finds_all_that_it_names(path, download):
    _, recipes = load_study(path, [f"recipe.data.dir={download}"])
    distinct = {(s.target, s.intermediate): recipe for s, recipe in recipes.items()}
    assert all(Material.of(recipe).test for recipe in distinct.values())


def run(path, download, model, folder, *more):
    """The recipe with a tiny random model on eight examples."""
    recipe = Recipe.load(path)
    settings = {
        "data.dir": download,
        "model.id": model,
        "model.device": "cpu",
        "intermediate.train.limit": 8,
        "intermediate.train.epochs": 1,
        "intermediate.train.fit": "false",
        "evaluate.limit": 4,
        "evaluate.bootstrap": 100,
        **(
            {}
            if "train" not in recipe.target.model_fields_set
            else {"target.train.limit": 8, "target.train.fit": "false"}
        ),
        **({"evaluate.retrieval.layer": LAYERS_OF_TINY_MODEL} if recipe.evaluate.retrieval.layer > 0 else {}),
    }
    changes = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    return ask("run", path, "-o", folder, *changes, *more)


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[] if path.stem in ALWAYS_RUN else pytest.mark.slow) for path in RECIPES],
    ids=lambda path: path.stem,
)
def test_a_full_recipe_ends_well(path, download, tiny_model, tmp_path, private_cache):
    done = run(path, download, tiny_model, tmp_path / "run", "--json")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    (task,) = results["scores"]
    languages = {*results["scores"][task], *results["evaluation"]["without_answers"]}
    assert {
        file.stem.rpartition("-")[2] for file in (tmp_path / "run" / "predictions" / task).iterdir()
    } == languages


def test_a_run_without_any_answer_says_so_and_ends_well(download, tiny_model, tmp_path, private_cache):
    recipe, folder = ROOT / "configs" / "xtreme" / "tatoeba-full.yaml", tmp_path / "run"
    told = "tatoeba: answers not known in af, ar, "
    first = run(recipe, download, tiny_model, folder)
    assert first.returncode == 0, first.stderr
    assert f"warning: {told}" in first.stderr
    again = run(recipe, download, tiny_model, folder, "--resume")
    assert again.stdout == first.stdout
    title, note = first.stdout.splitlines()[:2]
    assert title == "tatoeba: predictions written, answers not known"
    assert note.startswith(told)
    assert told in (folder / "report.html").read_text()
    finished = Run.open(folder)
    assert str(finished).startswith(title)
    assert (finished.scores, finished.gain, finished.means) == ({}, {}, {})
    assert len(finished.without_answers) == len(list((folder / "predictions" / "tatoeba").iterdir())) == 41
    assert ask("report", folder, "-o", tmp_path / "report").returncode == 0


def test_data_check_names_every_withheld_answer(download):
    done = ask("data", "check", download, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    told = {line.partition(":")[0]: line for line in report["without_answers"]}
    assert set(told) >= {f"{task} test" for task in WITHHELD}
    assert all("labelled test files: https://" in told[f"{task} test"] for task in WITHHELD)
    assert "answers not known in en, ar, de, " in told["xquad test"]
    assert not any("dev" in name or "train" in name for name in told)


def test_a_folder_without_answers_is_no_reference(download, tmp_path):
    (tmp_path / "tatoeba").mkdir()
    (tmp_path / "tatoeba" / "test-sw.tsv").write_text("0\n" * 12)
    done = ask("score", "--benchmark", "xtreme", "--predictions", tmp_path, "--references", download)
    assert done.returncode == 1
    assert "tatoeba: answers not known in sw, so no score there; labelled test files: https://" in done.stderr
