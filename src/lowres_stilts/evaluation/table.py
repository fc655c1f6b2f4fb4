"""The transfer table for a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from lowres_stilts.data.withheld import answers_unknown
from lowres_stilts.evaluation.transfer import ENGLISH_CODES

WIDEST_WORD = len("[-100.0,")
PARTS = ("precision", "recall")
"""Shown beside F1 where there is one column of scores; `results.json` always has them."""


def transfer_table(results: Mapping[str, Any]) -> Group:
    """Scores, baseline and gain by language, from the content of results.json; last, which languages have none."""
    (task,) = results["scores"]
    evaluation = results.get("evaluation", {})
    without = evaluation.get("without_answers", [])
    notes = [Text(answers_unknown(task, without, evaluation.get("answers_at", "")))] if without else []
    notes += [Text(f"warning: {line}") for line in _none_right(results)]
    if not results["scores"][task]:
        return Group(Text(f"{task}: predictions written, answers not known", style="table.title"), *notes)
    return Group(*_scores(task, results), *notes)


def with_labels(results: Mapping[str, Any]) -> tuple[str, ...]:
    """Languages whose labels were learned, where these are more than English, from the content of results.json."""
    labelled = results.get("evaluation", {}).get("labelled", ())
    return () if ENGLISH_CODES.issuperset(labelled) else tuple(labelled)


def mean_of_others(results: Mapping[str, Any], task: str) -> tuple[str, Mapping[str, Any]]:
    """The means that count, with their name: over languages without English, or over those without labels."""
    key, name = (
        ("mean_zero_shot", "mean zero-shot")
        if with_labels(results)
        else ("mean_without_english", "mean without en")
    )
    return name, results[key][task]


def worries(results: Mapping[str, Any]) -> list[str]:
    """What a run remarked on of its data and phases, and languages in which nothing at all is right."""
    phases = results.get("phases", ())
    told = [*results.get("remarks", ())]
    told += [f"{phase['phase']}: {remark}" for phase in phases for remark in phase.get("remarks", ())]
    return [*told, *_none_right(results)]


def _none_right(results: Mapping[str, Any]) -> list[str]:
    return [
        f"{task}{of}: not one right answer in {', '.join(languages)}; the interval cannot tell more"
        for side, of in (("scores", ""), ("baseline", ", baseline"))
        for task, scores in results.get(side, {}).items()
        if (languages := [language for language, score in scores.items() if score["value"] == 0])
    ]


def _scores(task: str, results: Mapping[str, Any]) -> tuple[Text, Table]:
    scores, baseline, gain = (results.get(key, {}).get(task, {}) for key in ("scores", "baseline", "gain"))
    metric = next(score["metric"] for score in scores.values())
    title = f"{task}: {metric} by language, in points, with 95% intervals"
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    # Where it is narrow, cells are broken between words, and nothing is left out.
    table.add_column("language", min_width=max(map(len, ["language", *scores])))
    table.add_column("n", justify="right", min_width=max(len(str(score["n"])) for score in scores.values()))
    for name in ["baseline", "STILTs", "gain"] if gain else ["score"]:
        table.add_column(name, justify="right", min_width=WIDEST_WORD)
    parts = [] if gain else [name for name in PARTS if all(name in score for score in scores.values())]
    for name in parts:
        table.add_column(name, justify="right")
    labelled = with_labels(results)
    for language, score in scores.items():
        row = f"{language}, with labels" if language in labelled else language
        cells = _cells(score, baseline.get(language), gain.get(language))
        table.add_row(row, str(score["n"]), *cells, *(f"{score[name]:.1f}" for name in parts))
    name, means = mean_of_others(results, task)
    if len(scores) > 1 and means:
        table.add_section()
        table.add_row(name, "", *_cells(means["scores"], means.get("baseline"), means.get("gain")))
    # Not as the table's title, which is broken where the table is narrower.
    return Text(title, style="table.title"), table


def _cells(
    score: Mapping[str, Any], baseline: Mapping[str, Any] | None, gain: Mapping[str, Any] | None
) -> list[str]:
    if baseline is None or gain is None:
        return [_shown(score)]
    return [_shown(baseline), _shown(score), _shown(gain, sign="+")]


def _shown(value: Mapping[str, Any], sign: str = "") -> str:
    low, high = value["ci95"]
    return f"{value['value']:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"
