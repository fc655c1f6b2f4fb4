"""A run that is killed at any moment ends, resumed, as if nothing had happened."""

import json
import random
import time

import pytest

from tests.commands import ask
from tests.forks import call_forked, forked
from tests.project import write_project

TIMELESS = ("scores", "baseline", "gain", "mean_without_english")


def _results(folder):
    return json.loads((folder / "results.json").read_text())


def _scores(phase):
    return {key: phase[key] for key in ("phase", "tasks", "updates", "best_update", "dev_score")}


def _files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for kind in ("phases/**/*.safetensors", "*predictions/**/*.tsv")
        for path in folder.glob(kind)
    }


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_kill_9_at_random_moments(tmp_path, tiny_model, private_cache, kills):
    long = {"epochs": 6, "lr": 2e-3, "tokens_per_batch": 64, "checkpoint_every": 2}
    recipe = write_project(
        tmp_path,
        tiny_model,
        intermediate__tasks=["choice", "tags", "mlm"],
        intermediate__mix={"cap": 30},
        intermediate__train=long,
        target__train=long,
    )
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finished = ask("run", recipe, "-o", whole)
    assert finished.returncode == 0, finished.stderr
    log = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    working = log[-1]["time"] - log[0]["time"]

    seed = time.time_ns()
    print(f"moments drawn with seed {seed}")  # noqa: T201 - to repeat a failure
    rng = random.Random(seed)
    done = 0
    while done < kills:
        process = forked("run", recipe, "-o", killed, "--resume")
        lines = (killed / "log.jsonl").read_text().count("\n") if (killed / "log.jsonl").exists() else 0
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            now = (killed / "log.jsonl").read_text().count("\n") if (killed / "log.jsonl").exists() else 0
            if now > lines:  # the encoder is loaded: from here on the run writes
                break
            time.sleep(0.01)
        time.sleep(rng.uniform(0, working / kills))
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        done += 1
    assert done >= 2
    finished = ask("run", recipe, "-o", killed, "--resume")  # whose sets are in another order than those of forks
    assert finished.returncode == 0, finished.stderr
    for key in TIMELESS:
        assert _results(killed)[key] == _results(whole)[key]
    assert [_scores(phase) for phase in _results(killed)["phases"]] == [
        _scores(phase) for phase in _results(whole)["phases"]
    ]
    assert _files(killed) == _files(whole)
    assert not list(killed.rglob("*.tmp"))


def test_a_full_disk_is_a_clear_error_and_leaves_the_last_checkpoint(tmp_path, tiny_model, private_cache):
    recipe = write_project(tmp_path, tiny_model, intermediate__train={"epochs": 20, "checkpoint_every": 1})
    folder = tmp_path / "run"
    checkpoint = folder / "phases" / "1-intermediate" / "checkpoint.safetensors"
    process = forked("run", recipe, "-o", folder)
    while not checkpoint.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    before = checkpoint.read_bytes()
    stopped = call_forked("run", recipe, "-o", folder, "--resume", file_limit=len(before) // 2)
    assert stopped.returncode == 1
    last = stopped.stderr.strip().splitlines()[-1]
    assert last.startswith(f"error: cannot write {checkpoint}: ")
    assert last.endswith("a run goes on with --resume")
    assert "Traceback" not in stopped.stderr
    assert checkpoint.read_bytes() == before
    assert ask("run", recipe, "-o", folder, "--resume").returncode == 0


def test_an_unwritable_folder_is_a_clear_error(tmp_path, tiny_model, private_cache):
    recipe = write_project(tmp_path, tiny_model)
    (tmp_path / "file").write_text("in the way")
    stopped = ask("run", recipe, "-o", tmp_path / "file" / "run")
    assert stopped.returncode in {1, 2}
    assert stopped.stderr.strip().splitlines()[-1].startswith("error: ")
    assert "Traceback" not in stopped.stderr


def test_a_run_in_use_is_refused(tmp_path, tiny_model, private_cache):
    recipe = write_project(tmp_path, tiny_model)
    folder = tmp_path / "run"
    process = forked("run", recipe, "-o", folder)
    while not (folder / "recipe.yaml").exists():
        time.sleep(0.01)
    second = ask("run", recipe, "-o", folder, "--resume")
    running = process.poll() is None
    process.wait()
    assert running
    assert second.returncode == 1
    assert "is in use by another process" in second.stderr
