"""The transfer table for a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table


def transfer_table(results: Mapping[str, Any]) -> Table:
    """Scores, baseline and gain by language, from the content of results.json."""
    (task,) = results["scores"]
    scores, baseline, gain = (results.get(key, {}).get(task, {}) for key in ("scores", "baseline", "gain"))
    metric = next((score["metric"] for score in scores.values()), "no score, since no answers are known")
    title = f"{task}: {metric} by language, in points, with 95% intervals"
    # A table with one column of scores is narrower than its title, which would be broken.
    table = Table(
        title=title,
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        min_width=len(title),
    )
    table.add_column("language", no_wrap=True)
    for name in ["n", "baseline", "STILTs", "gain"] if gain else ["n", "score"]:
        table.add_column(name, justify="right", no_wrap=True)
    for language, score in scores.items():
        table.add_row(language, str(score["n"]), *_cells(score, baseline.get(language), gain.get(language)))
    means = results["mean_without_english"][task]
    if len(scores) > 1 and means:
        table.add_section()
        table.add_row("mean without en", "", *_cells(means["scores"], means.get("baseline"), means.get("gain")))
    return table


def _cells(
    score: Mapping[str, Any], baseline: Mapping[str, Any] | None, gain: Mapping[str, Any] | None
) -> list[str]:
    if baseline is None or gain is None:
        return [_shown(score)]
    return [_shown(baseline), _shown(score), _shown(gain, sign="+")]


def _shown(value: Mapping[str, Any], sign: str = "") -> str:
    low, high = value["ci95"]
    return f"{value['value']:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"
