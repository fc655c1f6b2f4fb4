"""The transfer table as it is printed."""

import io
import re

import pytest
from rich.console import Console

from lowres_stilts.evaluation.table import transfer_table, worries


def score(value, low, high):
    return {"metric": "accuracy", "value": value, "ci95": [low, high], "n": 5010}


SCORES = {"en": score(80.04, 79, 81), "sw": score(9.5, 8.25, 10.5)}
BASELINE = {"en": score(79, 78, 80), "sw": score(10, 9, 11)}
GAIN = {"en": score(1.04, 0, 2.06), "sw": score(-0.5, -1.5, 0.5)}


def results(scores, means, **others):
    """As in results.json, for one task."""
    kinds = {kind: {"xnli": by_language} for kind, by_language in {"scores": scores, **others}.items()}
    return kinds | {"mean_without_english": {"xnli": means}}


SYSTEM_ALONE = results(SCORES, {"scores": SCORES["sw"]})
MEANS = {"scores": SCORES["sw"], "baseline": BASELINE["sw"], "gain": GAIN["sw"]}
COMPARED = results(SCORES, MEANS, baseline=BASELINE, gain=GAIN)


def printed(content, width=100):
    console = Console(file=io.StringIO(), width=width)
    console.print(transfer_table(content))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_a_system_alone_has_its_scores_below_a_title_of_one_line():
    title, *table = printed(SYSTEM_ALONE)
    assert title == "xnli: accuracy by language, in points, with 95% intervals"
    assert [re.split(r"\s{2,}", line.strip()) for line in table if line and "─" not in line] == [
        ["language", "n", "score"],
        ["en", "5010", "80.0 [79.0, 81.0]"],
        ["sw", "5010", "9.5 [8.2, 10.5]"],
        ["mean without en", "9.5 [8.2, 10.5]"],
    ]
    assert len({len(line) for line in table if line}) == 1


def test_beside_a_baseline_the_gain_is_shown_with_its_sign():
    assert printed(COMPARED) == [
        "xnli: accuracy by language, in points, with 95% intervals",
        "",
        " language            n           baseline             STILTs               gain",
        " ──────────────────────────────────────────────────────────────────────────────",
        " en               5010  79.0 [78.0, 80.0]  80.0 [79.0, 81.0]  +1.0 [+0.0, +2.1]",
        " sw               5010   10.0 [9.0, 11.0]    9.5 [8.2, 10.5]  -0.5 [-1.5, +0.5]",
        "",
        " mean without en         10.0 [9.0, 11.0]    9.5 [8.2, 10.5]  -0.5 [-1.5, +0.5]",
        "",
    ]


@pytest.mark.parametrize(("language", "means"), [("en", {}), ("sw", {"scores": SCORES["sw"]})])
def test_one_language_has_no_mean(language, means):
    lines = printed(results({language: SCORES[language]}, means))
    assert [line.split()[0] for line in lines if line][1:] == ["language", lines[3].strip(), language]


WITHHELD = {"evaluation": {"without_answers": ["sw", "ur"], "answers_at": "https://example.org"}}
NOTE = "xnli: answers not known in sw, ur, so no score there; labelled test files: https://example.org"


def test_without_answers_predictions_are_all_there_is():
    assert printed(results({}, {}) | WITHHELD) == ["xnli: predictions written, answers not known", NOTE]


def test_languages_without_answers_are_named_below_the_others():
    assert printed(SYSTEM_ALONE | WITHHELD) == [*printed(SYSTEM_ALONE), NOTE]


@pytest.mark.parametrize("width", [72, 60, 46])
@pytest.mark.parametrize("content", [SYSTEM_ALONE, COMPARED], ids=["scores", "gain"])
def test_in_a_narrow_terminal_cells_are_broken_and_nothing_is_cut(content, width):
    wide, narrow = (printed(content, columns) for columns in (100, width))
    assert max(map(len, narrow)) <= width
    assert sorted(words(narrow)) == sorted(words(wide))


def words(lines):
    """All words of a table, without its rule."""
    return [word for line in lines for word in line.split() if word.strip("─")]


def test_languages_without_a_right_answer_are_remarked_on():
    nothing = SYSTEM_ALONE["scores"]["xnli"] | {"ur": score(0.0, 0.0, 0.0)}
    told = "xnli: not one right answer in ur; the interval cannot tell more"
    found = SYSTEM_ALONE | {"scores": {"xnli": nothing}}
    assert f"warning: {told}" in printed(found)
    phases = [{"phase": "1-intermediate"}, {"phase": "2-target", "remarks": ["only 3 updates were made"]}]
    assert worries(found | {"phases": phases}) == ["2-target: only 3 updates were made", told]
    assert not any("warning" in line for line in printed(SYSTEM_ALONE))


def test_a_baseline_without_a_right_answer_is_remarked_on_too():
    content = {
        "scores": {"xnli": {"sw": score(10.0, 5.0, 15.0)}},
        "baseline": {"xnli": {"sw": score(0.0, 0.0, 0.0)}},
    }
    told = "xnli, baseline: not one right answer in sw; the interval cannot tell more"
    assert worries(content) == [told]


def test_precision_and_recall_stand_beside_one_column_of_f1():
    parts = score(50.0, 40.0, 60.0) | {"metric": "span_f1", "precision": 60.26, "recall": 42.0}
    content = {"scores": {"panx": {"en": parts, "sw": parts}}, "mean_without_english": {"panx": {}}}
    head, row = (
        next(line.split() for line in printed(content, 100) if word in line) for word in ("recall", "en ")
    )
    assert head[-2:] == ["precision", "recall"]
    assert row[-2:] == ["60.3", "42.0"]
