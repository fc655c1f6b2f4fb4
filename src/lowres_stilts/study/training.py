"""How a run learned: loss and dev score of every phase, from its log."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lowres_stilts.pipeline.folder import RunFolder
from lowres_stilts.study.figures import ACCENT, INK, MUTED, SECOND, Drawing, draw_figure

MOST_POINTS = 300
"""Of a drawn curve; a longer one is drawn by the means of equal parts."""
SMOOTH = 20
"""The drawn mean is over this share of the updates: one in so many."""

ROOM = 1.03
"""Of the last update, so that what is drawn there is whole."""


def curves_of(folder: RunFolder) -> list[dict[str, Any]]:
    """Update, loss and dev score of each phase that was trained here, in the order of training."""
    found: dict[str, dict[str, Any]] = {}
    for event in folder.events():
        if event["event"] not in {"update", "dev"}:
            continue
        phase = found.setdefault(event["phase"], {"phase": event["phase"], "losses": {}, "dev": {}})
        # One of a resumed run may stand twice.
        key, value = ("losses", "loss") if event["event"] == "update" else ("dev", "score")
        phase[key][event["update"]] = event[value]
    return [
        {"phase": each["phase"], "losses": sorted(each["losses"].items()), "dev": sorted(each["dev"].items())}
        for each in found.values()
    ]


def training_drawings(runs: Sequence[Mapping[str, Any]]) -> list[Drawing]:
    """A figure for each run that has curves, with a row for each phase: its loss, and its dev scores.

    Args:
        runs: `name` and `phases`, as `curves_of` gives them.
    """
    shown = [run for run in runs if any(phase["losses"] for phase in run["phases"])]
    several = len(shown) > 1
    return [_drawing(number, run, several=several) for number, run in enumerate(shown, start=1)]


def _drawing(number: int, run: Mapping[str, Any], *, several: bool) -> Drawing:
    phases = [phase for phase in run["phases"] if phase["losses"]]

    def paint(figure: Figure) -> None:
        rows = figure.subplots(len(phases), 2, squeeze=False)
        for (left, right), phase in zip(rows, phases, strict=True):
            _paint_losses(left, phase)
            _paint_dev(right, phase)
        for axes in rows[-1]:
            axes.set_xlabel("update")

    name = f"training-{number}" if several else "training"
    title = "Loss and dev score by update" + (f": {run['name']}" if several else "")
    caption = (
        "Each phase in the order of training. Left: loss of the updates, pale, and its mean. Right: points on "
        "the dev set; the weights of the ringed look were kept."
    )
    return draw_figure(name, title, caption, (6.8, 0.6 + 1.7 * len(phases)), paint)


def _paint_losses(axes: Any, phase: Mapping[str, Any]) -> None:
    updates, losses = np.array(phase["losses"], float).T
    width = max(1, len(losses) // SMOOTH)
    # A mean over what is there: shorter at both ends, so that nothing is shifted.
    weights = np.convolve(np.ones_like(losses), np.ones(width), "same")
    smooth = np.convolve(losses, np.ones(width), "same") / weights
    axes.plot(*_thinned(updates, losses), color=MUTED, lw=0.8, alpha=0.55)
    axes.plot(*_thinned(updates, smooth), color=ACCENT, lw=1.6)
    axes.set_title(phase["phase"], loc="left", color=INK)
    axes.set_ylabel("loss")
    axes.set_xlim(0, updates[-1] * ROOM)


def _paint_dev(axes: Any, phase: Mapping[str, Any]) -> None:
    axes.set_ylabel("dev, points")
    axes.set_xlim(0, phase["losses"][-1][0] * ROOM)
    if not phase["dev"]:
        return
    updates, scores = np.array(phase["dev"], float).T
    axes.plot(updates, scores, color=SECOND, lw=1.2, marker="o", ms=3)
    best = int(np.argmax(scores))
    axes.plot(updates[best], scores[best], "o", ms=8, mfc="none", mec=SECOND, clip_on=False)
    axes.margins(y=0.15)


def _thinned(updates: Any, values: Any) -> tuple[Any, Any]:
    if len(updates) <= MOST_POINTS:
        return updates, values
    parts = np.array_split(np.arange(len(updates)), MOST_POINTS)
    return [updates[part].mean() for part in parts], [values[part].mean() for part in parts]
