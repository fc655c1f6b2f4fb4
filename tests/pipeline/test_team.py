"""Runs that several processes train, through the command line."""

import json
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

from tests.commands import call
from tests.project import write_project
from tests.teams import end_of, lines_of, start_team

pytestmark = pytest.mark.slow  # two processes that import torch take half a minute where there are two cores
RUN = ["-m", "lowres_stilts", "run"]
EXACT = {"quantize": "none", "embeddings": "none", "compute": "float32", "device": "cpu", "head": "mean"}
TRAIN = {"epochs": 2, "lr": 2e-3, "tokens_per_batch": 128, "checkpoint_every": 2}


@pytest.fixture
def recipe(tmp_path, tiny_model, private_cache):
    module = {"rank": 4, "alpha": 8, "dropout": 0.0}
    return write_project(
        tmp_path,
        tiny_model,
        model={"id": str(tiny_model), **EXACT},
        intermediate={"tasks": ["choice", "tags"], "module": module, "train": TRAIN},
        target={"task": "mood", "transfer": "continue", "train": TRAIN},
    )


def _weights(folder):
    return {
        f"{path.parent.parent.name}/{path.name}/{name}": value
        for path in sorted(folder.glob("phases/*/module/*.safetensors"))
        for name, value in load_file(path).items()
    }


def _shapes(folder):
    return {name: value.shape for name, value in _weights(folder).items()}


def _course(results):
    """What dropout, which is another in each process, does not change. Equal weights: `training/test_team.py`."""
    return [(phase["phase"], phase["updates"], phase["trainable_parameters"]) for phase in results["phases"]]


def test_a_run_of_two_processes_is_the_run_of_one_and_resumes(tmp_path, recipe):
    alone = call("run", recipe, "-o", tmp_path / "alone")
    assert alone.returncode == 0, alone.stderr
    ended = end_of(start_team([*RUN, recipe, "-o", tmp_path / "pair", "--json"]))
    assert [code for code, _, _ in ended] == [0, 0], ended
    results = json.loads(ended[0][1])
    assert results == json.loads((tmp_path / "pair" / "results.json").read_text())
    assert ended[1][1:] == ("", "")
    assert _shapes(tmp_path / "alone") == _shapes(tmp_path / "pair")
    assert _course(json.loads((tmp_path / "alone" / "results.json").read_text())) == _course(results)
    log = [json.loads(line) for line in (tmp_path / "pair" / "log.jsonl").read_text().splitlines()]
    assert [event["processes"] for event in log if event["event"] == "encoder loaded"] == [2]
    assert sum(event["event"] == "phase done" for event in log) == 3

    (tmp_path / "pair" / "results.json").unlink()
    shutil.rmtree(tmp_path / "pair" / "phases" / "2-target")
    before = _weights(tmp_path / "pair")
    again = end_of(start_team([*RUN, recipe, "-o", tmp_path / "pair", "--resume"]))
    assert [code for code, _, _ in again] == [0, 0], again
    after = _weights(tmp_path / "pair")
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert after.keys() == _shapes(tmp_path / "alone").keys() > before.keys()


@pytest.mark.parametrize("change", ["target.task=moood", "data.dir=/nowhere"])
def test_an_error_is_told_once(tmp_path, recipe, change):
    ended = end_of(start_team([*RUN, recipe, "-o", tmp_path / "run", "--set", change]))
    assert all(code in {1, 2} for code, _, _ in ended)
    (line,) = lines_of(ended)
    assert line.startswith("error: ")
    assert change.partition("=")[2] in line


def test_a_taken_folder_ends_the_others_in_silence(tmp_path, recipe):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "letter.txt").write_text("dear")
    ended = end_of(start_team([*RUN, recipe, "-o", tmp_path / "run"]))
    assert [code for code, _, _ in ended] == [2, 1]
    (line,) = lines_of(ended)
    assert "exists already" in line


@pytest.mark.parametrize("rank", [0, 1])
def test_an_interrupt_of_one_ends_all_and_the_run_goes_on_later(tmp_path, recipe, rank):
    arguments = [*RUN, recipe, "-o", tmp_path / "run"]
    checkpoint = tmp_path / "run" / "phases" / "1-intermediate" / "checkpoint.safetensors"
    team = start_team([*arguments, "--set", "intermediate.train.epochs=200"])
    while not checkpoint.exists():
        assert team[0].poll() is None
        time.sleep(0.01)
    team[rank].send_signal(signal.SIGINT)
    ended = end_of(team)
    assert ended[rank][0] == 130
    assert ended[1 - rank][0] == 1
    assert [line for line in lines_of(ended) if "stopped" in line or "rror" in line] == [
        "stopped; go on with --resume"
    ]
    assert not (tmp_path / "run" / "phases" / "1-intermediate" / "module").exists()


def test_a_killed_process_ends_the_others_with_one_line(tmp_path, recipe):
    checkpoint = tmp_path / "run" / "phases" / "1-intermediate" / "checkpoint.safetensors"
    team = start_team([*RUN, recipe, "-o", tmp_path / "run", "--set", "intermediate.train.epochs=200"])
    while not checkpoint.exists():
        assert team[0].poll() is None
        time.sleep(0.01)
    team[1].kill()
    ended = end_of(team)
    assert ended[0][0] == 1
    assert [line for line in lines_of(ended) if "rror" in line] == [
        "error: another process of this run has ended; go on with --resume"
    ]


def test_accelerate_launches_it(tmp_path, recipe):
    pytest.importorskip("accelerate")
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    once = ["--set", "intermediate.train.epochs=1", "--set", "target.train.epochs=1"]
    finished = subprocess.run(
        [*launcher, *RUN, str(recipe), "-o", str(tmp_path / "run"), "--json", *once],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert set(json.loads(finished.stdout)["scores"]["mood"]) == {"en", "sw", "ur"}
