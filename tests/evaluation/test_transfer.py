import json

import numpy as np
import pytest

from lowres_stilts.evaluation.intervals import mean_interval
from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.evaluation.transfer import Arm, transfer_results

ACCURACY = METRICS["accuracy"]
GOLD = {"en": [0, 1, 0, 1], "sw": [0, 1, 0, 1], "ur": [1, 1, 1, 1]}
BETTER = {"en": [0, 1, 0, 1], "sw": [0, 1, 0, 0], "ur": [1, 0, 1, 0]}
WORSE = {"en": [0, 1, 0, 0], "sw": [0, 0, 1, 0], "ur": [1, 0, 0, 0]}


def _results(baseline, languages=("en", "sw", "ur"), system=BETTER, seed=1):
    arms = [
        answers and Arm.of(ACCURACY, GOLD, {language: answers[language] for language in languages})
        for answers in (system, baseline)
    ]
    return transfer_results("mine", ACCURACY, *arms, samples=200, seed=seed)


def test_scores_baseline_and_gain_by_language():
    results = _results(WORSE)
    values = {
        kind: {language: score["value"] for language, score in results[kind]["mine"].items()}
        for kind in ("scores", "baseline", "gain")
    }
    assert values == {
        "scores": {"en": 100, "sw": 75, "ur": 50},
        "baseline": {"en": 75, "sw": 25, "ur": 25},
        "gain": {"en": 25, "sw": 50, "ur": 25},
    }


def test_parts_stand_beside_the_value():
    gold, predicted = {"sw": [("moja",), ("mbili tatu",)]}, {"sw": ["moja", "mbili"]}
    arm = Arm.of(METRICS["squad"], gold, predicted)
    results = transfer_results("qa", METRICS["squad"], arm, arm, samples=50, seed=1)
    for kind in ("scores", "baseline"):
        score = results[kind]["qa"]["sw"]
        assert (score["value"], score["exact_match"], score["f1"]) == (66.6667, 50, 83.3333)
    assert set(results["gain"]["qa"]["sw"]) == {"value", "ci95"}


def test_the_language_reaches_the_metric():
    gold, answers = {"zh": [("我们",)], "en": [("我们",)]}, {"zh": ["我"], "en": ["我"]}
    tables = Arm.of(METRICS["mlqa"], gold, answers).tables
    assert tables["zh"][0].tolist() == [0, pytest.approx(2 / 3), 1]
    assert tables["en"][0].tolist() == [0, 0, 1]


def test_means_leave_english_out():
    means = _results(WORSE)["mean_without_english"]["mine"]
    assert {kind: mean["value"] for kind, mean in means.items()} == {"scores": 62.5, "baseline": 25, "gain": 37.5}


def test_the_shape_is_that_of_results_json():
    results = json.loads(json.dumps(_results(WORSE), allow_nan=False))
    assert set(results) == {"scores", "baseline", "gain", "mean_without_english"}
    for kind, keys in {
        "scores": {"metric", "value", "n", "ci95"},
        "baseline": {"metric", "value", "n", "ci95"},
        "gain": {"value", "ci95"},
    }.items():
        ((task, by_language),) = results[kind].items()
        assert (task, list(by_language)) == ("mine", ["en", "sw", "ur"])
        for score in by_language.values():
            assert set(score) == keys
            low, high = score["ci95"]
            assert low <= score["value"] <= high
            assert score.get("n", 4) == 4
            assert score.get("metric", "accuracy") == "accuracy"
    for mean in results["mean_without_english"]["mine"].values():
        assert set(mean) == {"value", "ci95"}


def test_the_mean_of_one_language_is_that_language():
    results = _results(WORSE, languages=("sw",))
    score, mean = results["scores"]["mine"]["sw"], results["mean_without_english"]["mine"]["scores"]
    assert mean == {key: score[key] for key in ("value", "ci95")}


def test_english_alone_has_no_mean():
    results = _results(WORSE, languages=("en",))
    assert results["mean_without_english"] == {"mine": {}}


def test_without_a_baseline_there_is_no_gain():
    results = _results(None)
    assert set(results) == {"scores", "mean_without_english"}
    assert set(results["mean_without_english"]["mine"]) == {"scores"}


def test_over_itself_the_gain_is_nothing():
    results = _results(BETTER)
    gains = [*results["gain"]["mine"].values(), results["mean_without_english"]["mine"]["gain"]]
    assert gains == [{"value": 0, "ci95": [0, 0]}] * 4


def test_the_seed_decides_the_intervals_alone():
    assert _results(WORSE) == _results(WORSE)
    other = _results(WORSE, seed=2)
    assert other["scores"]["mine"]["ur"]["value"] == _results(WORSE)["scores"]["mine"]["ur"]["value"]


def test_counts_need_an_answer_for_every_example():
    with pytest.raises(ValueError, match="shorter"):
        Arm.of(ACCURACY, GOLD, {"en": [0]})
    assert np.array_equal(Arm.of(ACCURACY, GOLD, BETTER).tables["en"], np.ones((4, 2)))


def test_as_many_resamples_are_drawn_as_asked_for_with_that_seed():
    answers = {"sw": [number % 3 for number in range(40)]}
    arm = Arm.of(ACCURACY, {"sw": [1] * 40}, answers)
    (score,) = transfer_results("mine", ACCURACY, arm, None, samples=9, seed=4)["scores"]["mine"].values()
    drawn = mean_interval(ACCURACY, [arm.tables["sw"]], samples=9, seed=4)
    assert score["ci95"] == [drawn.low, drawn.high]
    for samples, seed in ((1000, 4), (9, 13)):
        other = mean_interval(ACCURACY, [arm.tables["sw"]], samples=samples, seed=seed)
        assert score["ci95"] != [other.low, other.high]
