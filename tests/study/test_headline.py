import pytest

from lowres_stilts.study.headline import run_headline, study_headline

FOUND = {"value": 1.0, "ci95": [-1.0, 3.0], "call": "undecided"}


def row(target, gain):
    return {
        "target": target, "model": "m", "intermediate": "mnli", "score": FOUND, "baseline": FOUND, "gain": gain
    }  # fmt: skip


def test_runs_of_different_tasks_are_not_to_be_compared_by_score():
    *_, last = run_headline({"rows": [row("xnli", FOUND), row("panx", None)]})
    assert last == "xnli and panx are different tasks: gains compare, scores do not."


def test_what_could_be_noise_is_called_so():
    first, last = run_headline({"rows": [row("xnli", FOUND)]})
    assert first.endswith("+1.0 [-1.0, +3.0] points, which could be noise.")
    assert last == "Intervals are over examples only: another seed might turn a difference around."


def test_a_target_without_answers_is_named():
    told = {"target": "xquad", "languages": ["ar"], "answers_at": "https://example.org"}
    (line,) = run_headline({"rows": [], "without_answers": [told]})
    assert line.startswith("Predictions written, answers not known: xquad: answers not known in ar, ")


def test_what_a_run_worries_about_is_told():
    (line,) = run_headline({"rows": [], "worries": ["2-target: only 3 updates were made"]})
    assert line == "Warning: 2-target: only 3 updates were made."


def test_a_run_says_where_its_score_is_not_zero_shot():
    told = row("panx", FOUND) | {"labelled": ["en", "yo"], "languages": {"en": {}, "yo": {}, "sw": {}}}
    lines = run_headline({"rows": [told]})
    expected = (
        "Labels of panx in en, yo were learned: no score there is zero-shot; the mean is over sw, zero-shot."
    )
    assert lines[1] == expected


@pytest.mark.parametrize(
    ("languages", "expected"), [(["yo"], "the score by"), (["yo", "sw"], "the zero-shot score by")]
)
def test_a_study_calls_no_mean_over_labelled_languages_zero_shot(languages, expected):
    told = row("panx", FOUND) | {"labelled": ["en", "yo"], "languages": dict.fromkeys(languages)}
    results = {
        "rows": [told], "overall": FOUND, "claims": [], "alpha": 0.05, "cells": {"finished": 1, "planned": 1}
    }  # fmt: skip
    assert expected in study_headline(results)[0]
