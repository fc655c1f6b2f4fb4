import io

import numpy as np
import pytest
from rich.console import Console

from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.evaluation.table import transfer_table
from lowres_stilts.evaluation.transfer import Arm, transfer_results

ACCURACY = METRICS["accuracy"]
GOLD = {"en": [0, 1, 0, 1], "sw": [0, 1, 0, 1], "ur": [1, 1, 1, 1]}
BETTER = {"en": [0, 1, 0, 1], "sw": [0, 1, 0, 0], "ur": [1, 0, 1, 0]}
WORSE = {"en": [0, 1, 0, 0], "sw": [0, 0, 1, 0], "ur": [1, 0, 0, 0]}


def _results(baseline):
    arms = [None if answers is None else Arm.of(ACCURACY, GOLD, answers) for answers in (BETTER, baseline)]
    return transfer_results("mine", ACCURACY, *arms, samples=200, seed=1)


def _printed(results):
    console = Console(file=io.StringIO(), width=120)
    console.print(transfer_table(results))
    return console.file.getvalue()


def test_scores_baseline_and_gain_by_language():
    results = _results(WORSE)
    assert {language: score["value"] for language, score in results["scores"]["mine"].items()} == {
        "en": 100,
        "sw": 75,
        "ur": 50,
    }
    assert results["gain"]["mine"]["sw"]["value"] == 50
    means = results["mean_without_english"]["mine"]
    assert [means[key]["value"] for key in ("scores", "baseline", "gain")] == [62.5, 25, 37.5]
    for kind in ("scores", "baseline", "gain"):
        for score in results[kind]["mine"].values():
            assert score["ci95"][0] <= score["value"] <= score["ci95"][1]


def test_without_a_baseline_there_is_no_gain():
    results = _results(None)
    assert set(results) == {"scores", "mean_without_english"}
    printed = _printed(results)
    assert "score" in printed
    assert "gain" not in printed


def test_the_table_shows_what_was_measured():
    printed = _printed(_results(WORSE))
    for text in ("baseline", "STILTs", "+50.0", "mean without en", "62.5"):
        assert text in printed


def test_counts_need_an_answer_for_every_example():
    with pytest.raises(ValueError, match="shorter"):
        Arm.of(ACCURACY, GOLD, {"en": [0]})
    assert np.array_equal(Arm.of(ACCURACY, GOLD, BETTER).tables["en"], np.ones((4, 2)))
