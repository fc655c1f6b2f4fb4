"""Runs that are followed in real trackers, in folders of this machine."""

import importlib.util
import json
import os
import struct
import time

import pytest

from lowres_stilts.display import Display
from lowres_stilts.errors import MissingExtraError, TrainingError, UsageError
from lowres_stilts.pipeline import run
from lowres_stilts.pipeline.folder import RunFolder
from lowres_stilts.pipeline.following import IMPATIENT, TRACKERS, Follower, require_trackers, settings_of
from lowres_stilts.recipe import Recipe
from tests.commands import ask
from tests.project import write_project

BLOCK = 32 * 1024
PHASES = ("1-intermediate", "2-target", "2-target-baseline")


@pytest.fixture(autouse=True)
def own_surroundings(private_cache, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("MLFLOW_", "WANDB_"))]:
        monkeypatch.delenv(name)
    for name in (*IMPATIENT, "MLFLOW_ALLOW_FILE_STORE", "WANDB_SILENT"):
        monkeypatch.setenv(name, "")  # to be as it was at the end
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_MODE", "offline")


@pytest.fixture
def recipe(tmp_path, tiny_model):
    path = write_project(tmp_path, tiny_model)
    return Recipe.load(
        path, ["evaluate.languages=[en, sw]", "target.train.epochs=2", "target.train.tokens_per_batch=40"]
    )


def tensorboard_curves(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    found.Reload()
    return {tag: [(event.step, event.value) for event in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def mlflow_curves(folder):
    from mlflow.tracking import MlflowClient

    assert os.environ["MLFLOW_ALLOW_FILE_STORE"] == "true"
    client = MlflowClient((folder.absolute() / "mlflow").as_uri())
    (experiment,) = [found for found in client.search_experiments() if found.name == "lowres-stilts"]
    (found,) = client.search_runs([experiment.experiment_id])
    curves = {
        key: [(point.step, point.value) for point in client.get_metric_history(found.info.run_id, key)]
        for key in found.data.metrics
    }
    return found, curves


def logged(folder, event):
    return [entry for entry in RunFolder(folder).events() if entry["event"] == event]


def steps_of(folder):
    """Every update's place among those of all phases, and its loss."""
    before, steps = 0, {}
    for phase in PHASES:
        own = [entry for entry in logged(folder, "update") if entry["phase"] == phase]
        steps[phase] = [(before + entry["update"], entry["loss"]) for entry in own]
        before += len(own)
    return steps


def test_every_update_is_in_the_log_once(recipe, tmp_path):
    results = run(recipe, tmp_path / "run", display=Display(quiet=True))
    for summary in results["phases"]:
        own = [entry for entry in logged(tmp_path / "run", "update") if entry["phase"] == summary["phase"]]
        assert [entry["update"] for entry in own] == list(range(1, summary["updates"] + 1))
        assert all(entry["loss"] > 0 and entry["tokens_per_second"] > 0 for entry in own)
        rates = [entry["learning_rate"] for entry in own]
        assert max(rates) == pytest.approx(2e-3)
        assert rates[-1] < rates[len(rates) // 2]


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_curves_settings_and_scores_are_followed(name, recipe, tmp_path):
    folder = tmp_path / "run"
    results = run(recipe, folder, display=Display(quiet=True), trackers=[name])
    curves = tensorboard_curves(folder) if name == "tensorboard" else mlflow_curves(folder)[1]
    for phase, losses in steps_of(folder).items():
        assert [step for step, _ in curves[f"{phase}/loss"]] == [step for step, _ in losses]
        assert [value for _, value in curves[f"{phase}/loss"]] == pytest.approx([loss for _, loss in losses])
        assert len(curves[f"{phase}/learning_rate"]) == len(curves[f"{phase}/tokens_per_second"]) == len(losses)
        dev = [entry["score"] for entry in logged(folder, "dev") if entry["phase"] == phase]
        assert [value for _, value in curves[f"{phase}/dev"]] == pytest.approx(dev, rel=1e-4)
    for side in ("scores", "baseline", "gain"):
        ((_, value),) = curves[f"{side}/mood/sw"]
        assert value == pytest.approx(results[side]["mood"]["sw"]["value"], rel=1e-4)
    if name == "mlflow":
        params = mlflow_curves(folder)[0].data.params
        assert params["target.train.epochs"] == "2"
        assert params["target.module.rank"] == "4"
    else:
        (settings,) = (folder / "tensorboard").glob("*/hparams.yml")
        assert "target.train.epochs: 2\n" in settings.read_text()


def test_wandb_offline_and_several_at_once(recipe, tmp_path):
    folder = tmp_path / "run"
    run(recipe, folder, display=Display(quiet=True), trackers=["wandb", "tensorboard"])
    (offline,) = (folder / "wandb").glob("offline-run-*")
    (known,) = folder.glob("follower-wandb.txt")
    (written,) = offline.glob("*.wandb")
    assert written.stem == f"run-{known.read_text()}"
    wanted = {f"{phase}/loss": [step for step, _ in losses] for phase, losses in steps_of(folder).items()}
    deadline = time.monotonic() + 30
    while not wanted.items() <= _wandb_steps(written).items() and time.monotonic() < deadline:
        time.sleep(0.1)  # a process of wandb's writes it
    assert wanted.items() <= _wandb_steps(written).items()
    assert tensorboard_curves(folder)["2-target/loss"]


def _wandb_steps(path):
    """The steps of each metric in a file of wandb's."""
    from wandb.proto import wandb_internal_pb2

    steps = {}
    for data in _records(path.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        for item in record.history.item:
            key = item.key or "/".join(item.nested_key)
            steps.setdefault(key, []).append(record.history.step.num)
    return steps


def _records(content):
    """LevelDB's log: blocks of 32 KiB with pieces of records, behind seven bytes of wandb's."""
    place, record = 7, b""
    while place + 7 <= len(content):
        if (left := BLOCK - place % BLOCK) < 7:
            place += left
            continue
        size, kind = struct.unpack_from("<HB", content, place + 4)
        record += content[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in {1, 4}:  # whole, or the last piece
            yield record
            record = b""


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_a_resumed_run_goes_on_with_its_curve(name, recipe, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    losing = {"at": 6}
    tell = RunFolder.log

    def log(self, event, **details):
        tell(self, event, **details)
        if event == "update" and details["phase"] == "2-target" and details["update"] == losing["at"]:
            losing["at"] = None
            raise TrainingError("the power fails")

    monkeypatch.setattr(RunFolder, "log", log)
    with pytest.raises(TrainingError, match="power"):
        run(recipe, folder, display=Display(quiet=True), trackers=[name])
    assert (folder / "phases" / "2-target" / "checkpoint.safetensors").exists()  # of update 4
    run(recipe, folder, resume=True, display=Display(quiet=True), trackers=[name])
    curves = tensorboard_curves(folder) if name == "tensorboard" else mlflow_curves(folder)[1]
    whole = steps_of(folder)
    for phase, losses in whole.items():
        assert [step for step, _ in curves[f"{phase}/loss"]] == [step for step, _ in losses]
    if name == "tensorboard":
        run(recipe, tmp_path / "whole", display=Display(quiet=True))
        assert whole == steps_of(tmp_path / "whole")
        assert len(logged(folder, "dev")) == len(logged(tmp_path / "whole", "dev"))


def test_a_server_that_is_away_is_told_once_and_the_run_ends_well(recipe, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    results = run(recipe, tmp_path / "run", trackers=["mlflow"])
    assert results["scores"]["mood"]["sw"]
    told = [line for line in capsys.readouterr().err.splitlines() if "mlflow" in line]
    assert len(told) == 1
    assert told[0].startswith("warning: --log mlflow failed, and the run goes on without it: ")


def test_a_tracker_that_is_not_installed_is_named_before_anything_is_written(recipe, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "wandb" else find(name))
    with pytest.raises(MissingExtraError, match=r"--log wandb: wandb is not installed: pip install .*\[wandb\]"):
        run(recipe, tmp_path / "run", trackers=["tensorboard", "wandb"])
    assert not (tmp_path / "run").exists()


def test_other_names_are_refused(tmp_path):
    with pytest.raises(UsageError, match="--log: 'comet' is none of tensorboard, mlflow, wandb"):
        require_trackers(["comet"])
    require_trackers(list(TRACKERS))


def test_the_command(tmp_path, tiny_model):
    recipe = write_project(tmp_path, tiny_model, target__transfer="none", intermediate=None)
    done = ask("run", recipe, "-o", tmp_path / "run", "--log", "tensorboard", "--set", "evaluate.languages=[en]")
    assert done.returncode == 0, done.stderr
    assert "2-target/loss" in tensorboard_curves(tmp_path / "run")
    refused = ask("run", recipe, "-o", tmp_path / "other", "--log", "tensorbord")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


def test_settings_are_flat(recipe):
    settings = settings_of(recipe)
    assert settings["intermediate.tasks"] == json.dumps(["choice"])
    assert settings["evaluate.limit"] == ""
    assert settings["model.offload_embeddings"] is False


def test_dev_scores_of_tasks_come_at_the_update_of_their_look(recipe, tmp_path):
    sent = []
    follower = Follower("tensorboard", RunFolder(tmp_path), recipe, print)
    follower._send = lambda step, values: sent.append((step, values))
    follower("dev scores", {"phase": "1", "scores": {"a": 1.0, "b": 2.0}})
    follower("dev", {"phase": "1", "update": 3, "score": 1.5})
    follower("dev", {"phase": "1", "update": 6, "score": 2.5})
    follower("dev", {"phase": "2", "update": 1, "score": 3.5})
    assert sent == [
        (3, {"1/dev": 1.5, "1/dev/a": 1.0, "1/dev/b": 2.0}),
        (6, {"1/dev": 2.5}),
        (7, {"2/dev": 3.5}),
    ]
