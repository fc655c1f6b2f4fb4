import os
from functools import partial
from unittest.mock import patch

import pytest

from lowres_stilts.errors import UsageError
from lowres_stilts.study.runs import runs_report, write_report
from tests.commands import ask
from tests.project import write_project
from tests.written import written_phases


@pytest.fixture(scope="session")
def run(once, tiny_model):
    return once("report", partial(write_runs, tiny_model))


def write_runs(model, folder):
    recipe = write_project(folder, model, examples=30)
    with patch.dict(os.environ, LOWRES_STILTS_CACHE=str(folder / "cache")):
        for name in ("one", "two"):
            with written_phases(name):
                finished = ask("run", recipe, "-o", folder / name, "--set", f"name={name}", "--set", "seed=5")
            assert finished.returncode == 0, finished.stderr


def test_a_run_writes_its_report(run):
    page = (run / "one" / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "another seed might turn a difference around" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert page.count("<svg") >= 3
    assert 'dir="rtl"' in page


def test_runs_beside_each_other(run, tmp_path):
    write_report([run / "one", run / "two"], tmp_path / "both")
    assert "Runs one, two" in (tmp_path / "both" / "report.html").read_text()
    assert (tmp_path / "both" / "tables" / "combinations.csv").read_text().count("\n") == 3


def test_no_run_is_a_clear_error(tmp_path):
    with pytest.raises(UsageError, match="no finished run or study"):
        runs_report([tmp_path])
