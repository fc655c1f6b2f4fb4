"""Curves of loss and dev score in a run's report."""

import json
import os
from unittest.mock import patch

import pytest

from lowres_stilts.display import Display
from lowres_stilts.pipeline import run
from lowres_stilts.pipeline.folder import RunFolder
from lowres_stilts.recipe import Recipe
from lowres_stilts.study.runs import write_report
from lowres_stilts.study.training import MOST_POINTS, curves_of, training_drawings
from tests.project import write_project


@pytest.fixture(scope="session")
def finished(once, tiny_model):
    """A run that was trained, and its results."""

    def make(folder):
        recipe = Recipe.load(write_project(folder, tiny_model, examples=30), ["evaluate.languages=[en, sw]"])
        with patch.dict(os.environ, LOWRES_STILTS_CACHE=str(folder / "cache")):
            run(recipe, folder / "run", display=Display(quiet=True))

    folder = once("curves", make) / "run"
    return folder, RunFolder(folder).results()


def test_curves_are_those_of_the_phases(finished):
    folder, results = finished
    curves = curves_of(RunFolder(folder))
    assert [curve["phase"] for curve in curves] == ["1-intermediate", "2-target", "2-target-baseline"]
    for curve, summary in zip(curves, results["phases"], strict=True):
        assert [update for update, _ in curve["losses"]] == list(range(1, summary["updates"] + 1))
        best = max(score for _, score in curve["dev"])
        assert best == pytest.approx(summary["dev_score"], abs=1e-3)
        assert dict(curve["dev"])[summary["best_update"]] == best


def test_the_report_has_them(finished, tmp_path):
    folder, _ = finished
    write_report([folder], tmp_path / "one")
    page = (tmp_path / "one" / "report.html").read_text()
    assert page.count("Loss and dev score by update</h3>") == 1
    assert (tmp_path / "one" / "figures" / "training.png").read_bytes().startswith(b"\x89PNG")
    write_report([folder, folder], tmp_path / "both")
    svg = (tmp_path / "one" / "figures" / "training.svg").read_text()
    for text in ("1-intermediate", "2-target", "2-target-baseline", "loss", "dev, points", "update"):
        assert f">{text}</text>" in svg


def test_runs_beside_each_other_have_a_figure_each(finished):
    curves = curves_of(RunFolder(finished[0]))
    drawn = training_drawings([{"name": name, "phases": curves} for name in ("one", "two")])
    assert [(drawing.name, drawing.title[-5:]) for drawing in drawn] == [
        ("training-1", ": one"),
        ("training-2", ": two"),
    ]


def test_a_log_without_losses_has_no_figure(tmp_path):
    (tmp_path / "log.jsonl").write_text(
        '{"event": "dev", "phase": "2-target", "update": 1, "score": 1.0}\n{"event": "up'
    )
    curves = curves_of(RunFolder(tmp_path))
    assert training_drawings([{"name": "old", "phases": curves}]) == []
    assert curves_of(RunFolder(tmp_path / "nowhere")) == []


def test_what_was_done_twice_is_drawn_once_and_long_curves_are_thinned(tmp_path):
    def line(update, loss):
        return json.dumps({"event": "update", "phase": "2-target", "update": update, "loss": loss}) + "\n"

    many = 20 * MOST_POINTS
    lines = [line(update, 1 / update) for update in range(1, many + 1)]
    (tmp_path / "log.jsonl").write_text("".join([*lines, *lines[-5:]]))
    (curve,) = curves_of(RunFolder(tmp_path))
    assert len(curve["losses"]) == many
    (drawing,) = training_drawings([{"name": "long", "phases": [curve]}])
    longest = max(part.count(" L ") + part.count("\nL ") for part in drawing.svg.split("<path"))
    assert longest < MOST_POINTS
