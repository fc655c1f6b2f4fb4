"""A benchmark's table as it is printed, and what is not in it."""

import io

from rich.console import Console

from lowres_stilts.evaluation.benchmark import BenchmarkReport
from lowres_stilts.evaluation.benchmark_table import benchmark_table, left_out

XNLI = {"accuracy": {"sw": 60.0, "ur": 62.5}, "avg_accuracy": 61.25, "avg_metric": 61.25}
XQUAD = {
    "exact_match": {"el": 100.0},
    "f1": {"el": 9.0},
    "avg_exact_match": 100.0,
    "avg_f1": 9.0,
    "avg_metric": 54.5,
}
LANGUAGES = {"xnli": ("sw", "ur"), "xquad": ("el", "hi", "zh")}


def printed(scores, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(benchmark_table("xtreme", BenchmarkReport(scores=scores, languages=LANGUAGES)))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_tasks_come_with_their_figures_and_then_the_complete_groups():
    assert printed({"all_task": 57.875, "classification": 61.25, "xnli": XNLI, "xquad": XQUAD}) == [
        "xtreme: averages over languages, in points",
        "",
        " task            languages  score  of which",
        " ─────────────────────────────────────────────────────────────",
        " xnli                  2/2  61.25  accuracy 61.25",
        " xquad                 1/3  54.50  exact match 100.00, f1 9.00",
        "",
        " classification             61.25",
        " all_task                   57.88",
        "",
    ]


def test_without_a_complete_group_there_is_no_second_part():
    assert printed({"xnli": XNLI})[-2:] == [" xnli        2/2  61.25  accuracy 61.25", ""]


def test_in_a_narrow_terminal_names_and_averages_stay_whole():
    lines = printed({"classification": 61.25, "xquad": XQUAD}, width=46)
    assert lines[2:] == [
        " task            languages  score  of which",
        " ────────────────────────────────────────────",
        " xquad                 1/3  54.50  exact",
        "                                   match",
        "                                   100.00, f1",
        "                                   9.00",
        "",
        " classification             61.25",
        "",
    ]
    narrower = printed({"classification": 61.25, "xquad": XQUAD}, width=28)
    first = [line.split()[:1] for line in narrower[narrower.index("") :]]
    assert [word[0][:5] if word else "" for word in first] == ["", "task", "─────", "xquad", "", "class", ""]


def test_what_is_left_out_is_listed_by_task():
    missing = [
        "pawsx/test-de.tsv",
        "xquad/test-el.json",
        "xquad/test-hi.json",
        "mewslix/ (and it has no references)",
    ]
    report = BenchmarkReport(
        missing=missing, unusable=["xnli/test-sw.tsv: no label", "xnli/test-ur.tsv: no label"]
    )
    assert list(left_out(report)) == [
        "missing: pawsx/test-de.tsv",
        "missing: xquad/test-el.json, xquad/test-hi.json",
        "missing: mewslix/ (and it has no references)",
        "not used: xnli/test-sw.tsv: no label",
        "not used: xnli/test-ur.tsv: no label",
    ]
