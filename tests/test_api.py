import subprocess
import sys

import pytest

import lowres_stilts
from lowres_stilts import Bundle, LowresStiltsError, Recipe, Run, Score, run
from lowres_stilts.errors import RecipeError, UsageError
from tests.project import LANGUAGES, write_project

QUICK = {"target.train.epochs": 1, "intermediate.train.epochs": 1}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tiny_model):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOWRES_STILTS_CACHE", str(tmp_path_factory.mktemp("cache")))
        folder = tmp_path_factory.mktemp("api")
        recipe = Recipe.load(write_project(folder, tiny_model), QUICK)
        yield run(recipe, folder / "run", quiet=True)


def test_a_run_is_its_scores_packages_and_report(finished):
    assert finished.task == "mood"
    assert set(finished.scores) == set(finished.baseline) == set(finished.gain) == set(LANGUAGES)
    for language, score in finished.scores.items():
        assert isinstance(score, Score)
        assert 0 <= score.low <= score.value <= score.high <= 100
        assert (score.metric, score.n) == ("accuracy", 24)
        gain = score.value - finished.baseline[language].value
        assert finished.gain[language].value == pytest.approx(gain, abs=1e-3)
    assert set(finished.means) == {"scores", "baseline", "gain"}
    assert list(finished.packages) == ["1-intermediate", "2-target"]
    assert all((folder / "stilts.json").is_file() for folder in finished.packages.values())
    assert finished.report.is_file()


def test_a_run_shows_its_table(finished):
    lines = str(finished).splitlines()
    assert lines[0].startswith("mood: accuracy by language")
    assert {line.split()[0] for line in lines if line.split()} >= {"en", "sw", "ur", "mean"}
    assert finished._repr_html_() == f"<pre>{finished}</pre>"
    assert str(Score(81.25, 70.0, 90.04)) == "81.2 [70.0, 90.0]"


def test_a_finished_run_is_opened_and_resumed(finished):
    opened = Run.open(str(finished.folder))
    assert opened.scores == finished.scores
    assert opened.recipe == finished.recipe
    assert opened.recipe.target.train.epochs == 1
    assert run(finished.recipe, finished.folder, resume=True).results == finished.results


def test_a_folder_without_a_run_says_how_to_go_on(tmp_path):
    with pytest.raises(UsageError, match="holds no finished run; go on with"):
        Run.open(tmp_path)


def test_a_run_answers(finished):
    texts = ["glad happy sun", "cry rain"]
    first, second = finished.predict(texts)
    assert {first.label, second.label} <= {"glad", "sad", "calm"}
    assert sum(first.scores.values()) == pytest.approx(1)
    assert [a.label for a in finished.predict(texts[::-1], tokens_per_batch=8)] == [second.label, first.label]
    with pytest.raises(UsageError, match="takes one text, found a pair"):
        finished.predict([("a", "b")])


def test_a_run_becomes_a_bundle(finished, tmp_path):
    with pytest.raises(UsageError, match="preset 'tiny' is none of server-cpu, "):
        finished.export(tmp_path / "bundle", preset="tiny")
    bundle = finished.export(tmp_path / "bundle", preset="exact")
    assert isinstance(bundle, Bundle)
    (adapter,) = bundle.adapters
    answers = bundle.predict(["glad happy smile", "sad cry rain"], adapter)
    assert {answer.label for answer in answers} <= {"glad", "sad", "calm"}


def test_recipes_take_overrides_as_values_and_as_texts(tmp_path, tiny_model):
    path = write_project(tmp_path, tiny_model)
    for overrides in ({"seed": 7, "evaluate.languages": ["sw"]}, ["seed=7", "evaluate.languages=[sw]"]):
        recipe = Recipe.load(str(path), overrides)
        assert (recipe.seed, recipe.evaluate.languages) == (7, ["sw"])
        assert Recipe.load(path).changed(overrides) == recipe


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"seeed": 7}, r"override seeed: seeed: unknown key; did you mean 'seed'\?"),
        ({"target.train.epochs": 0}, "override target.train.epochs: target.train.epochs: Input should be greater"),
        ({"seed.x": 1}, "override seed.x: seed is not a mapping"),
    ],
)
def test_overrides_that_do_not_fit_name_their_key(overrides, message, tmp_path, tiny_model):
    path = write_project(tmp_path, tiny_model, seed=5)
    with pytest.raises(RecipeError, match=message):
        Recipe.load(path, overrides)
    with pytest.raises(RecipeError, match=message):
        Recipe.load(path).changed(overrides)


def test_a_changed_recipe_leaves_the_first_as_it_is(tmp_path, tiny_model):
    recipe = Recipe.load(write_project(tmp_path, tiny_model))
    changed = recipe.changed({"target.module.rank": 2})
    assert (recipe.target.module.rank, changed.target.module.rank) == (4, 2)
    assert changed.changed({"target.module.rank": 4}) == recipe


def test_the_public_names_are_there_and_no_others():
    assert set(dir(lowres_stilts)) == set(lowres_stilts.__all__)
    for name in lowres_stilts.__all__:
        assert getattr(lowres_stilts, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Bundel'"):
        _ = lowres_stilts.Bundel
    assert issubclass(RecipeError, LowresStiltsError)


def test_importing_names_needs_the_core_only():
    code = (
        "import sys; from lowres_stilts import Bundle, LowresStiltsError, Recipe, Run, run; "
        "print([m for m in ('torch', 'transformers', 'peft', 'datasets', 'fastapi', 'ray') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
