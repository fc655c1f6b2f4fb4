"""A finished run in the place of its package: evaluated, verified, shown and pushed without naming files again."""

import json
import shutil

import pytest

from lowres_stilts.cli.hub import one_package
from lowres_stilts.errors import PackageError
from tests.commands import ask
from tests.hub.lora_runs import finished_lora
from tests.hub_repo_server import WRITER


@pytest.fixture
def finished(once, private_cache):
    return finished_lora(once)[1][0].parents[2]


def scores(*arguments):
    done = ask("evaluate", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["scores"]


@pytest.mark.parametrize("place", [".", "phases/2-target/package"])
def test_a_run_and_its_package_are_evaluated_on_the_runs_own_files(finished, place):
    found = scores(finished / place, "--languages", "en,sw", "--limit", "5")
    assert {language: score["n"] for language, score in found["mood"].items()} == {"en": 5, "sw": 5}


def test_another_task_of_its_files(finished):
    assert set(scores(finished, "--task", "pairs", "--limit", "3")["pairs"]) == {"en", "sw", "ur"}


def test_the_same_files_in_another_folder(finished, tmp_path):
    data = shutil.copytree(finished.parent / "data", tmp_path / "moved")
    (data / "mood-test-ur.tsv").unlink()
    assert set(scores(finished, "--data", data, "--limit", "3")["mood"]) == {"en", "sw"}


def test_a_package_elsewhere_asks_for_its_data(finished, tmp_path):
    package = shutil.copytree(finished / "phases" / "2-target" / "package", tmp_path / "package")
    done = ask("evaluate", package)
    assert (done.returncode, done.stderr) == (1, "error: data: no such folder; name the data folder with --data\n")
    assert set(scores(package, "--data", finished.parent / "data", "--limit", "3")["mood"]) == {"en", "sw", "ur"}


def test_all_packages_of_a_run_are_verified(finished):
    done = ask("hub", "verify", finished, "--scores")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    places = [finished / "phases" / phase / "package" for phase in ("1-intermediate", "2-target")]
    assert [line.partition(": sound; ")[0] for line in lines[:2]] == [str(place) for place in places]
    assert lines[2].startswith("en ")


@pytest.mark.parametrize("words", [("show",), ("push", "me/mine")])
def test_of_several_packages_one_is_to_be_named(finished, words):
    done = ask("hub", words[0], finished, *words[1:])
    places = ", ".join(str(finished / "phases" / phase / "package") for phase in ("1-intermediate", "2-target"))
    assert done.stderr == f"error: {finished}: a run with 2 packages; name one: {places}\n"


def test_a_run_that_is_not_finished_has_none(tmp_path):
    (tmp_path / "recipe.yaml").write_text("name: x\n")
    for words in (("evaluate",), ("hub", "verify"), ("export", "-o", tmp_path / "new")):
        done = ask(*words, tmp_path)
        assert done.returncode == 1
        assert done.stderr == f"error: {tmp_path}: the run is not finished; go on with `run --resume`\n"


def _with_phases(finished, folder, phases):
    run = shutil.copytree(finished, folder)
    results = json.loads((run / "results.json").read_text())
    results["phases"] = [summary for summary in results["phases"] if summary["phase"] in phases]
    (run / "results.json").write_text(json.dumps(results))
    return run


def test_the_only_package_of_a_run_is_pushed(finished, tmp_path, shell, hub):
    run = _with_phases(finished, tmp_path / "run", ["2-target"])
    assert one_package(run) == run / "phases" / "2-target" / "package"
    done = shell("hub", "push", run, "me/mine", "--yes", token=WRITER)
    assert done.returncode == 0, done.stderr
    assert "stilts.json" in hub.repositories["me/mine"].head
    none = _with_phases(finished, tmp_path / "none", [])
    with pytest.raises(PackageError, match="trained no module that a package could hold"):
        one_package(none)


def test_a_run_ends_with_what_to_do_next(finished):
    run = finished
    done = ask("run", finished.parent / "recipe.yaml", "-o", run, "--resume")
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith(
        "next:\n"
        f"  lowres-stilts predict {run} FILE -o ANSWERS\n"
        f"  lowres-stilts evaluate {run}\n"
        f"  lowres-stilts export {run} -o bundles/run\n"
        f"  lowres-stilts hub push {run}/phases/2-target/package OWNER/NAME --dry-run\n"
    )
    assert "next" not in done.stdout
