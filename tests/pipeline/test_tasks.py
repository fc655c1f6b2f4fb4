"""Runs with several intermediate tasks, of other families, and on files without answers."""

import json

import pytest

from lowres_stilts.pipeline import run
from lowres_stilts.recipe import Recipe
from tests.project import write_project

MIXED = {"epochs": 2, "lr": 2e-3, "tokens_per_batch": 128, "checkpoint_every": 3, "max_length": 40}


@pytest.fixture
def start(tmp_path, tiny_model, private_cache):
    def start(folder="run", *, resume=False, overrides=(), report=None, **changes):
        recipe = tmp_path / "recipe.yaml"
        if not recipe.exists():
            write_project(tmp_path, tiny_model, **changes)
        return run(Recipe.load(recipe, overrides), tmp_path / folder, resume=resume)

    return start


def phase(folder, name):
    return json.loads((folder / "phases" / name / "module" / "phase.json").read_text())


def logged(folder, event):
    lines = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
    return [line for line in lines if line["event"] == event]


def test_intermediate_tasks_of_three_families_share_a_module(start, tmp_path, capsys):
    results = start(
        intermediate__tasks=["choice", "tags", "mlm"],
        intermediate__mix={"cap": 16, "temperature": 2.0},
        intermediate__train=MIXED,
    )
    first = phase(tmp_path / "run", "1-intermediate")
    assert {key: results["phases"][0][key] for key in first} == first
    tasks = first["tasks"]
    assert list(tasks) == ["choice", "tags", "mlm"]
    assert tasks["tags"]["labels"] == ["glad", "sad", "calm"]
    # Equal sizes below the cap are equal shares: 16 of each, and mlm gave a twentieth to its dev set.
    assert [tasks[name]["examples"] for name in tasks] == [24, 24, 23]
    assert [tasks[name]["dev_examples"] for name in tasks] == [24, 24, 1]
    assert [tasks[name]["examples_per_epoch"] for name in tasks] == [16, 16, 16]
    scores = {name: task["dev_score"] for name, task in tasks.items()}
    assert all(0 <= score <= 100 for score in scores.values())
    assert first["dev_score"] == pytest.approx(sum(scores.values()) / 3)
    looks = logged(tmp_path / "run", "dev scores")
    assert len(looks) == MIXED["epochs"]
    best = next(look for look in logged(tmp_path / "run", "dev") if look["update"] == first["best_update"])
    assert best["score"] == pytest.approx(first["dev_score"], abs=1e-3)
    assert any(look["scores"] == pytest.approx(scores, abs=1e-3) for look in looks)
    shown = capsys.readouterr().err.replace("\n", " ")
    assert "1-intermediate: choice, tags, mlm" in shown
    assert "examples per epoch: choice 16 of 24 (33%)" in shown
    assert set(phase(tmp_path / "run", "2-target")["tasks"]) == {"mood"}


def test_weights_say_how_much_of_each_task_is_trained(start, tmp_path):
    start(
        intermediate__tasks=["choice", "asked"],
        intermediate__mix={"weights": {"choice": 3, "asked": 1}},
        intermediate__train=MIXED | {"epochs": 1},
        target__transfer="continue",
        target__module=None,
        evaluate__baseline=False,
    )
    tasks = phase(tmp_path / "run", "1-intermediate")["tasks"]
    assert {name: task["examples_per_epoch"] for name, task in tasks.items()} == {"choice": 36, "asked": 12}


def test_training_in_other_languages(start, tmp_path):
    start(
        intermediate__tasks=["tags"],
        intermediate__languages={"tags": ["sw", "ur"]},
        intermediate__train=MIXED | {"epochs": 1},
        evaluate__baseline=False,
        overrides=["data.files.tags.train=tags-test-{lang}.tsv"],
    )
    assert phase(tmp_path / "run", "1-intermediate")["tasks"]["tags"]["examples"] == 48


def test_a_question_answering_target(start, tmp_path):
    results = start(
        examples=60,
        target__task="asked",
        target__train={"epochs": 12, "lr": 5e-3, "tokens_per_batch": 256},
        evaluate__nbest=4,
    )
    scores = results["scores"]["asked"]
    assert {score["metric"] for score in scores.values()} == {"squad"}
    answers = json.loads((tmp_path / "run" / "predictions" / "asked" / "test-sw.json").read_text())
    document = json.loads((tmp_path / "data" / "asked-test-sw.json").read_text())
    contexts = {p["qas"][0]["id"]: p["context"] for p in document["data"][0]["paragraphs"]}
    assert set(answers) == set(contexts)
    assert all(answer and answer in contexts[name] for name, answer in answers.items())
    assert scores["en"]["value"] > 40
    best = json.loads((tmp_path / "run" / "nbest" / "asked" / "test-sw.json").read_text())
    assert list(best) == list(answers)
    for name, found in best.items():
        assert found[0]["text"] == answers[name]
        assert 0 < len(found) <= 4
        assert sum(each["probability"] for each in found) == pytest.approx(1, abs=1e-4)
        assert [each["score"] for each in found] == sorted((each["score"] for each in found), reverse=True)
        assert all(contexts[name][each["start"] :].startswith(each["text"]) for each in found)


def test_a_language_without_answers_is_predicted_and_not_scored(start, tmp_path):
    start("first")
    path = tmp_path / "data" / "mood-test-sw.tsv"
    path.write_text("".join(line.partition("\t")[0] + "\n" for line in path.read_text().splitlines()))
    results = start()
    assert set(results["scores"]["mood"]) == set(results["gain"]["mood"]) == {"en", "ur"}
    assert results["evaluation"]["without_answers"] == ["sw"]
    for arm in ("predictions", "baseline-predictions"):
        own, known = (tmp_path / run / arm / "mood" / "test-sw.tsv" for run in ("run", "first"))
        assert own.read_text() == known.read_text()
    first = json.loads((tmp_path / "first" / "results.json").read_text())
    assert first["evaluation"]["without_answers"] == []
    assert results["scores"]["mood"]["ur"] == first["scores"]["mood"]["ur"]


def test_no_language_with_answers_leaves_predictions_alone(start, tmp_path):
    start("first", evaluate__baseline=False)
    for language in ("en", "sw", "ur"):
        path = tmp_path / "data" / f"mood-test-{language}.tsv"
        path.write_text("".join(line.partition("\t")[0] + "\n" for line in path.read_text().splitlines()))
    results = start()
    assert results["scores"]["mood"] == {}
    assert results["evaluation"]["without_answers"] == ["en", "sw", "ur"]
    assert len((tmp_path / "run" / "predictions" / "mood" / "test-ur.tsv").read_text().splitlines()) == 24


def test_retrieval_by_margin_with_a_sweep(start, tmp_path):
    results = start(
        target={"task": "pairs", "transfer": "stack"},
        evaluate__retrieval={"similarity": "margin", "sweep": [0, 1]},
        intermediate__train=MIXED | {"epochs": 1},
    )
    views = {(row["layer"], row["pooling"]) for row in results["sweep"]}
    assert views == {(0, "mean"), (0, "cls"), (1, "mean"), (1, "cls")}
    assert all(0 <= row["mean"] <= 100 for row in results["sweep"])
    assert next(row["mean"] for row in results["sweep"] if row["pooling"] == "mean") > 20


def test_what_known_defects_leave_out_is_in_the_results_and_said(start, tmp_path, capsys):
    data = tmp_path / "data"
    start("none")
    for split in ("train", "dev"):
        (data / f"snli-{split}.tsv").write_text("a\tb\tneutral\nc\td\t-\nsea\tsun\tentailment\n" * 3)
    files = {split: f"snli-{split}.tsv" for split in ("train", "dev")}
    results = start(overrides=["intermediate.tasks=[snli]", f"data.files.snli={json.dumps(files)}"])
    assert results["left_out"] == {"snli": {split: {"en": {"undecided label": 3}} for split in ("dev", "train")}}
    assert "left out: 3 of snli train in en: undecided label" in capsys.readouterr().err
    assert "left_out" not in json.loads((tmp_path / "none" / "results.json").read_text())
