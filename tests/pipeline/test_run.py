import json

import pytest

from lowres_stilts.encoder import load
from lowres_stilts.errors import DataError, EncoderError, RecipeError, UsageError
from lowres_stilts.modules.fusion import fused_weights
from lowres_stilts.pipeline import run
from lowres_stilts.recipe import Recipe
from tests.project import LANGUAGES, write_project

LEARNING = {"epochs": 3, "lr": 2e-3, "tokens_per_batch": 128}
"""With 60 examples."""


@pytest.fixture
def start(tmp_path, tiny_model, private_cache):
    def start(folder="run", *, resume=False, overrides=(), **changes):
        recipe = tmp_path / "recipe.yaml"
        if not recipe.exists():
            write_project(tmp_path, tiny_model, **changes)
        return run(Recipe.load(recipe, overrides), tmp_path / folder, resume=resume)

    return start


def test_results_follow_the_design(start, tmp_path):
    results = start()
    assert json.loads((tmp_path / "run" / "results.json").read_text()) == results
    assert set(results) >= {"model", "recipe", "scores", "baseline", "gain", "cost", "versions"}
    for key in ("scores", "baseline"):
        assert set(results[key]["mood"]) == set(LANGUAGES)
        for score in results[key]["mood"].values():
            assert (score["metric"], score["n"]) == ("accuracy", 24)
            assert 0 <= score["ci95"][0] <= score["value"] <= score["ci95"][1] <= 100
    for language, gain in results["gain"]["mood"].items():
        difference = results["scores"]["mood"][language]["value"] - results["baseline"]["mood"][language]["value"]
        assert gain["value"] == pytest.approx(difference, abs=1e-3)
        assert gain["ci95"][0] <= gain["value"] <= gain["ci95"][1]
    assert set(results["cost"]) >= {"seconds", "peak_memory_bytes", "trainable_parameters"}
    assert [phase["phase"] for phase in results["phases"]] == ["1-intermediate", "2-target", "2-target-baseline"]


@pytest.mark.parametrize(("has_bf16", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_a_cpu_computes_in_a_type_that_it_has(has_bf16, expected, start, monkeypatch):
    monkeypatch.setattr(load, "_cpu_has_bf16", lambda: has_bf16)
    model = start(overrides=["model.compute=bf16", "model.device=cpu", "evaluate.languages=[sw]"])["model"]
    assert (model["compute"], model["computed_in"]) == ("bf16", expected)


def test_what_was_learned_is_better_than_chance_in_every_language(start):
    scores = start(examples=60, target__train=LEARNING)["scores"]["mood"]
    assert all(score["value"] > 60 for score in scores.values())


def test_predictions_are_in_the_submission_format(start, tmp_path):
    results = start()
    lines = (tmp_path / "run" / "predictions" / "mood" / "test-sw.tsv").read_text().splitlines()
    gold = [line.split("\t")[1] for line in (tmp_path / "data" / "mood-test-sw.tsv").read_text().splitlines()]
    accuracy = 100 * sum(a == b for a, b in zip(lines, gold, strict=True)) / len(gold)
    assert results["scores"]["mood"]["sw"]["value"] == pytest.approx(accuracy, abs=1e-3)


@pytest.mark.parametrize("head", ["mean", "library"])
def test_tagging_after_multiple_choice(start, head):
    results = start(
        examples=60, target__task="tags", target__train=LEARNING | {"epochs": 6, "lr": 5e-3}, model__head=head
    )
    assert all(score["metric"] == "span_f1" for score in results["scores"]["tags"].values())
    assert results["scores"]["tags"]["en"]["value"] > 50


def test_retrieval_has_no_target_phase(start, tmp_path):
    results = start(target={"task": "pairs", "transfer": "stack"})
    assert [phase["phase"] for phase in results["phases"]] == ["1-intermediate"]
    assert set(results["gain"]["pairs"]) == set(LANGUAGES)
    predictions = (tmp_path / "run" / "predictions" / "pairs" / "test-en.tsv").read_text().splitlines()
    assert len(predictions) == 24
    assert all(0 <= int(index) < 60 for index in predictions)


def test_continue_trains_the_intermediate_module_on(start, tmp_path):
    results = start(target__transfer="continue", target__module=None)
    below = {phase["phase"]: phase["below"] for phase in results["phases"]}
    assert below == {"1-intermediate": [], "2-target": [], "2-target-baseline": []}
    weights = [
        (tmp_path / "run" / "phases" / name / "module" / "adapter_model.safetensors").read_bytes()
        for name in ("1-intermediate", "2-target")
    ]
    assert weights[0] != weights[1]


def test_none_is_the_baseline_itself(start):
    results = start(target__transfer="none")
    assert "gain" not in results
    baseline = start("other", overrides=["target.transfer=stack"])["baseline"]
    assert results["scores"] == baseline


def test_same_seed_same_scores_and_another_seed_another_run(start):
    first, second = start("a"), start("b")
    assert (first["scores"], first["baseline"]) == (second["scores"], second["baseline"])
    third = start("c", overrides=["seed=14"])
    assert third["phases"][0]["dev_score"] != first["phases"][0]["dev_score"] or third["scores"] != first["scores"]


@pytest.mark.parametrize("mode", ["stack", "continue", "fuse", "merge"])
@pytest.mark.parametrize("kind", ["lora", "bottleneck"])
def test_modules_read_from_their_files_predict_as_they_did_when_they_were_trained(kind, mode, start, tmp_path):
    train = {"epochs": 3, "lr": 2e-2, "tokens_per_batch": 64}
    own = {"target__module": None} if mode == "continue" else {}
    if kind == "bottleneck":
        module = {"kind": kind, "reduction": 4}
        own = {"target__module": module, **own, "intermediate__module": module}
    start(
        intermediate__tasks=["choice", "tags"],
        intermediate__train=train,
        target__train=train,
        target__transfer=mode,
        **own,
    )
    folder = tmp_path / "run"
    predictions = {path: path.read_bytes() for path in folder.glob("*predictions/**/*.tsv")}
    assert len(predictions) == 2 * len(LANGUAGES)
    for path in (*predictions, folder / "results.json"):
        path.unlink()
    start(resume=True)
    assert {path: path.read_bytes() for path in predictions} == predictions


def test_fusing_learns_a_weight_for_every_module_and_layer(start, tmp_path):
    results = start(intermediate__tasks=["choice", "tags"], target__transfer="fuse", target__fuse={"lr": 0.05})
    parts = ["1-intermediate-1-choice", "1-intermediate-2-tags"]
    assert [phase["phase"] for phase in results["phases"]] == [*parts, "2-target", "2-target-baseline"]
    learned = fused_weights(tmp_path / "run" / "phases" / "2-target" / "module" / "fusion.safetensors")
    assert list(learned) == parts
    values = [value for layers in learned.values() for value in layers.values()]
    assert len(values) == 2 * 2 * 6
    assert all(abs(value - 0.5) < 0.5 for value in values)
    assert len(set(values)) > len(values) / 2


def test_merging_keeps_the_best_weights_on_english_dev(start):
    results = start(intermediate__tasks=["choice", "tags"], target__transfer="merge")
    phases = {phase["phase"]: phase for phase in results["phases"]}
    merged, alone = phases["2-target"], phases["2-target-baseline"]
    tried = merged["merged"]["tried"]
    assert len(tried) == 1 + 2 * 5
    assert tried[0]["dev_score"] == pytest.approx(alone["dev_score"])
    assert merged["dev_score"] == max(each["dev_score"] for each in tried)


def test_tests_are_answered_over_the_adapter_of_their_language(start, tmp_path, capsys):
    module = {"kind": "bottleneck", "reduction": 4}
    train = {"epochs": 3, "lr": 2e-2, "tokens_per_batch": 64}
    settings = ["data.files.mlm={train: 'text-test-{lang}.txt'}"]
    changes = {"intermediate__module": module, "target__module": module, "target__train": train}
    changes["languages"] = {"adapters": ["en", "sw"], "train": train}
    results = start(overrides=settings, **changes)
    assert "no language adapter for ur: the English one answers for them" in capsys.readouterr().err
    names = ["0-language-en", "0-language-sw"]
    assert [phase["phase"] for phase in results["phases"]][:2] == names
    below = {phase["phase"]: phase["below"] for phase in results["phases"]}
    assert below["1-intermediate"] == below["2-target-baseline"] == names[:1]
    assert below["2-target"] == [names[0], "1-intermediate"]
    assert results["evaluation"]["language_adapters"] == ["en", "sw"]

    english = start("english", overrides=[*settings, "languages.adapters=[en]"])
    for language, same in {"en": True, "ur": True, "sw": False}.items():
        file = f"predictions/mood/test-{language}.tsv"
        found = [(tmp_path / run / file).read_bytes() for run in ("run", "english")]
        assert (found[0] == found[1]) is same
    assert english["scores"]["mood"]["en"] == results["scores"]["mood"]["en"]

    predictions = {path: path.read_bytes() for path in (tmp_path / "run").glob("*predictions/**/*.tsv")}
    for path in (*predictions, tmp_path / "run" / "results.json"):
        path.unlink()
    start(resume=True, overrides=settings)
    assert {path: path.read_bytes() for path in predictions} == predictions


def test_a_finished_run_resumes_at_once_and_a_missing_one_starts(start, tmp_path):
    results = start(resume=True)
    log = (tmp_path / "run" / "log.jsonl").read_text()
    assert start(resume=True) == results
    assert (tmp_path / "run" / "log.jsonl").read_text() == log


def test_a_taken_folder_is_refused(start, tmp_path):
    start()
    with pytest.raises(UsageError, match="exists already; go on with --resume"):
        start()
    with pytest.raises(UsageError, match=r"started with another seed \(13, now 14\)"):
        start(resume=True, overrides=["seed=14"])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="has files but no run"):
        start("mine", resume=True)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_a_model_that_is_not_there_leaves_the_folder_to_the_next_run(start, tmp_path):
    (tmp_path / "no-model").mkdir()
    with pytest.raises(EncoderError, match=r"^model\.id: the folder .*no-model cannot be loaded"):
        start(overrides=[f"model.id={tmp_path / 'no-model'}"])
    assert not (tmp_path / "run").exists()
    assert start()["scores"]
    with pytest.raises(EncoderError):
        start("other", overrides=["model.id=starter:multilingual-minlm"])
    assert start("other", resume=True)["scores"]


def test_a_language_without_a_test_file_is_named(start, tmp_path, capsys):
    start("first", overrides=["target.transfer=none", "target.train.epochs=1"])
    assert "no test file" not in capsys.readouterr().err
    (tmp_path / "data" / "mood-test-ur.tsv").unlink()
    results = start("run", overrides=["target.transfer=none", "target.train.epochs=1"])
    assert "warning: mood: no test file in ur, so no score there" in capsys.readouterr().err
    assert "ur" not in results["scores"]["mood"]


def test_limits_and_holdout(start):
    results = start(
        overrides=[
            "evaluate.limit=7",
            "target.train.limit=10",
            "target.train.holdout=0.25",
            "evaluate.languages=[ur]",
        ]
    )
    assert {language: score["n"] for language, score in results["scores"]["mood"].items()} == {"ur": 7}
    assert results["evaluation"]["limit"] == 7
    target = results["phases"][1]
    assert (target["tasks"]["mood"]["examples"], target["tasks"]["mood"]["dev_examples"]) == (10, 6)


@pytest.mark.parametrize(
    ("override", "error", "message"),
    [
        ("target.task=moood", RecipeError, "target.task: unknown task 'moood'; did you mean 'mood'?"),
        ("evaluate.languages=[en, xx]", RecipeError, "evaluate.languages: unknown language 'xx'"),
        ("data.files.mood.test=nothing-{lang}.tsv", DataError, "no test file of task mood"),
        ("data.files.mood.train=nothing.tsv", DataError, "nothing.tsv: no such file"),
        ("tasks.mood.labels=[glad, sad]", DataError, "label 'calm' is not one of glad, sad"),
        ("intermediate.tasks=[pairs]", RecipeError, "pairs is retrieval, which is not trained"),
        ("data.dir=/nowhere", DataError, "/nowhere: no such folder"),
        ("target.task=mlm", RecipeError, "target.task: mlm is an intermediate task only"),
        ("data.files.mood.train=/dev/null", DataError, "/dev/null: no examples"),
        ("data.files.mood.dev=/dev/null", DataError, "/dev/null: no examples"),
        ("data.files.mood.test=/dev/null", DataError, "/dev/null: no examples"),
        ("data.files.mood.train=text-train-en.txt", DataError, "train needs them all"),
        ("data.files.mood.dev=text-dev-en.txt", DataError, "dev needs them all"),
    ],
)
def test_mistakes_are_named_before_anything_is_written(start, tmp_path, override, error, message):
    with pytest.raises(error) as caught:
        start(overrides=[override])
    text = str(caught.value)
    assert message in text
    assert "\n" not in text
    assert not (tmp_path / "run").exists()


def test_progress_goes_to_standard_error(start, capsys):
    start()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "2-target: mood" in captured.err
