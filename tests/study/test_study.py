"""Whole studies: against runs, killed, resumed, on either engine, with failures."""

import json
import os
import random
import signal
import time

import duckdb
import psutil
import pytest

from lowres_stilts.pipeline.hardware import CPU_RUNTIME
from lowres_stilts.study.engines import LocalEngine
from lowres_stilts.study.store import Store
from tests.commands import ask
from tests.forks import call_forked, forked
from tests.models import write_tiny_model
from tests.study.grids import write_study

KILLS = 10


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOWRES_STILTS_CACHE", str(folder / "cache"))
        yield folder


@pytest.fixture(scope="module")
def study(place):
    (place / "small").mkdir()
    return write_study(place / "small", write_tiny_model(place / "model"), axes__seeds=[1])


@pytest.fixture(scope="module")
def whole(place, study):
    finished = ask("study", study, "-o", place / "whole", "--workers", "2")
    assert finished.returncode == 0, finished.stderr
    return place / "whole"


def _content(folder):
    with Store(folder / "study.duckdb") as store:
        return store.content()


def _timeless(folder):
    results = json.loads((folder / "results.json").read_text())
    for row in results["rows"]:
        del row["cost"]
    return results


def test_scores_are_those_of_single_runs(place, study, whole):
    from lowres_stilts.pipeline import run
    from lowres_stilts.study.load import load_study

    _, recipes = load_study(study)
    rows = {(row["intermediate"], row["target"]): row for row in _timeless(whole)["rows"]}
    chosen = [item for item in recipes.items() if item[0].intermediate == "tags"]
    for number, (setting, recipe) in enumerate(chosen):
        results = run(recipe, place / f"run-{number}")
        row = rows[setting.intermediate, setting.target]
        for language, score in results["scores"][setting.target].items():
            assert row["languages"][language]["score"]["value"] == pytest.approx(score["value"], abs=1e-3)
            gain = results["gain"][setting.target][language]["value"]
            assert row["languages"][language]["gain"]["value"] == pytest.approx(gain, abs=1e-3)


def test_the_store_is_an_ordinary_database(whole):
    with duckdb.connect(str(whole / "study.duckdb"), read_only=True) as db:
        cells = db.execute("SELECT count(*) FROM cells").fetchone()
        accuracy = db.execute(
            "SELECT 100 * avg(value) FROM counts JOIN arms ON arms.key = counts.arm "
            "WHERE target = 'mood' AND part = 0"
        ).fetchone()
    assert cells == (4,)
    assert 0 <= accuracy[0] <= 100


def test_it_writes_report_figures_and_tables(whole):
    report = (whole / "report.html").read_text()
    assert "http" not in report.replace("http://www.w3.org", "")
    assert "<script" not in report
    assert report.count("<svg") == len(list((whole / "figures").glob("*.svg"))) >= 4
    assert {path.stem for path in (whole / "figures").glob("*.png")} == {
        path.stem for path in (whole / "figures").glob("*.svg")
    }
    assert {path.suffix for path in (whole / "tables").iterdir()} == {".csv", ".md", ".tex"}
    assert "one seed" in report.lower()
    assert 'dir="rtl"' in report  # Urdu


def test_a_finished_study_is_refused_or_done_at_once(study, whole):
    again = ask("study", study, "-o", whole)
    assert again.returncode == 2
    assert "--resume" in again.stderr
    before = _content(whole)
    resumed = ask("study", study, "-o", whole, "--resume", "--json")
    assert resumed.returncode == 0
    assert json.loads(resumed.stdout)["cells"] == {"planned": 4, "finished": 4}
    assert _content(whole) == before


@pytest.mark.slow
def test_killed_ten_times_at_random_moments_it_ends_with_the_same_store(place, study, whole):
    seed = time.time_ns()
    print(f"moments drawn with seed {seed}")  # noqa: T201 - to repeat a failure
    rng = random.Random(seed)
    killed = place / "killed"
    kills = 0
    while kills < KILLS:
        process = forked("study", study, "-o", killed, "--resume", "--workers", "2")
        log = killed / "log.jsonl"
        lines = log.read_text().count("\n") if log.exists() else 0
        deadline = time.monotonic() + 90
        while process.poll() is None and time.monotonic() < deadline:
            if (log.read_text().count("\n") if log.exists() else 0) > lines:
                break  # its workers have begun
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.3))
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        _wait_for_the_end_of_workers(log, lines)
        kills += 1
    assert kills >= KILLS // 2, kills  # each gets somewhere, so a fast machine may be done before the tenth
    print(f"{kills} kills")  # noqa: T201
    finished = call_forked("study", study, "-o", killed, "--resume", "--workers", "2")
    assert finished.returncode == 0, finished.stderr
    assert _content(killed) == _content(whole)
    assert _timeless(killed)["rows"] == _timeless(whole)["rows"]
    assert not list(killed.rglob("*.tmp"))


def _wait_for_the_end_of_workers(log, lines):
    """Which end with their study."""
    events = [json.loads(line) for line in log.read_text().splitlines()[lines:]]
    deadline = time.monotonic() + 30
    while any(_is_running(event["pid"]) for event in events if "pid" in event):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _is_running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_workers_have_the_variables_of_their_study_and_ignore_interrupts(place, monkeypatch):
    for value in ("first", "second"):
        monkeypatch.setenv("MINE", value)
        engine = LocalEngine(1)
        try:
            assert engine._pool.submit(os.getenv, "MINE").result() == value
            assert engine._pool.submit(signal.getsignal, signal.SIGINT).result() == signal.SIG_IGN
        finally:
            engine.close()


def test_a_killed_worker_is_replaced(place, study, whole):
    folder = place / "worker"
    process = forked("study", study, "-o", folder, "--workers", "2")
    _kill_a_worker(folder, process)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert _content(folder) == _content(whole)


@pytest.mark.slow
def test_ray_gives_the_same_and_begins_again_what_a_killed_worker_did(place, study, whole):
    pytest.importorskip("ray")
    folder = place / "ray"
    process = forked("study", study, "-o", folder, "--engine", "ray", "--workers", "2")
    _kill_a_worker(folder, process)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert _content(folder) == _content(whole)
    events = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    started = [event["key"] for event in events if event["event"] == "step started"]
    assert len(started) > len(set(started))


def _kill_a_worker(folder, process):
    """As soon as one has begun a step."""
    log = folder / "log.jsonl"
    while process.poll() is None:
        if log.exists() and (lines := log.read_text().splitlines()):
            os.kill(json.loads(lines[0])["pid"], signal.SIGKILL)
            return
        time.sleep(0.01)
    raise AssertionError("it ended before a worker began")


def test_what_fails_is_recorded_and_the_rest_goes_on(place, study):
    broken = place / "small" / "data" / "tags-train-en.tsv"
    text = broken.read_text()
    broken.write_text("no tag here\n")
    try:
        finished = ask("study", study, "-o", place / "broken", "--workers", "1", "--set", "axes.targets=[pairs]",
                        "--set", "claims=[]")  # fmt: skip
    finally:
        broken.write_text(text)
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr
    results = _timeless(place / "broken")
    assert [row["intermediate"] for row in results["rows"]] == ["choice"]
    steps = {failure["step"].partition(",")[0]: failure["error"] for failure in results["failures"]}
    assert set(steps) == {"intermediate tags", "pairs after tags"}
    assert "tags-train-en.tsv" in steps["intermediate tags"]
    assert steps["pairs after tags"].startswith("not begun, since intermediate tags")
    mended = ask("study", study, "-o", place / "broken", "--resume", "--workers", "1",
                  "--set", "axes.targets=[pairs]", "--set", "claims=[]")  # fmt: skip
    assert mended.returncode == 0, mended.stderr
    assert not _timeless(place / "broken")["failures"]


def test_dry_run_tells_the_plan_and_writes_nothing(place, study):
    told = ask("study", study, "-o", place / "nothing", "--dry-run", "--json")
    assert told.returncode == 0, told.stderr
    plan = json.loads(told.stdout)
    assert (plan["cells"], plan["phases"], plan["arms"], plan["shared"]) == (4, 2, 6, 4)
    assert all(step["seconds"] > 0 and not step["done"] for step in plan["steps"])
    assert plan["peak_bytes"] == max(step["peak_bytes"] for step in plan["steps"]) > CPU_RUNTIME
    assert not (place / "nothing").exists()


def test_wrong_usage(place, study):
    assert ask("study", place / "absent.yaml").returncode == 2
    wrong = ask("study", study, "--engine", "slurm")
    assert wrong.returncode == 2
    assert "neither local nor ray" in wrong.stderr
