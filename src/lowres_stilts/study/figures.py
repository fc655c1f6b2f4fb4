"""The figures of a report, drawn once: SVG that follows the page's colours, and PNG."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lowres_stilts.study.languages import by_distance, by_resources, language_of

INK, MUTED, ACCENT, SECOND = "#14181f", "#6a7380", "#1f6fb2", "#c2571a"
THEMED = {INK: "var(--ink)", MUTED: "var(--muted)", ACCENT: "var(--accent)", SECOND: "var(--second)"}
"""Colours of the page that change with its theme."""
STYLE = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}
MOST_CURVES = 12
LEAST_RANGE = 5.0
"""Points of the deepest colour, at least: a point more or less should not look like much."""

OVER_ALL = "On the mean over all combinations in which a language is tested; not every one is in all of them."


@dataclass(frozen=True)
class Drawing:
    """A figure with what it says in words."""

    name: str
    title: str
    caption: str
    svg: str
    png: bytes


def drawings(results: Mapping[str, Any]) -> list[Drawing]:
    """All figures for which there is something to draw."""
    found = [
        *_heat_maps(results),
        _language_map(results),
        _curves(results),
        _models(results),
        *_bars(results),
        _costs(results),
    ]
    return [drawing for drawing in found if drawing is not None]


def _draw(
    name: str, title: str, caption: str, size: tuple[float, float], paint: Callable[[Axes], object]
) -> Drawing:
    return draw_figure(name, title, caption, size, lambda figure: paint(figure.subplots()))


def draw_figure(
    name: str, title: str, caption: str, size: tuple[float, float], paint: Callable[[Figure], object]
) -> Drawing:
    """A figure in the style of reports.

    Args:
        name: of its files, and of its place in the page.
        title: above it.
        caption: below it.
        size: in inches.
        paint: draws on it.
    """
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        paint(figure)
        svg, png = io.StringIO(), io.BytesIO()
        figure.savefig(svg, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        figure.savefig(png, format="png", dpi=160, facecolor="white", metadata={"Software": None})
    return Drawing(name, title, caption, svg.getvalue(), png.getvalue())


def themed(drawing: Drawing) -> str:
    """Its SVG for the page: in the page's colours, as wide as there is room, with names of its own."""
    svg = drawing.svg[drawing.svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    for colour, variable in THEMED.items():
        svg = svg.replace(colour, variable)
    svg = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{drawing.name}-", svg)
    width = re.search(r'width="([0-9.]+)pt"', svg)
    # On a phone it keeps letters that can be read, and scrolls.
    least = f"min({width[1]}pt, 30rem)" if width else "0"
    about = f'role="img" aria-label="{escape(drawing.title)}" class="drawing" style="min-width: {least}"'
    return svg.replace("<svg ", f"<svg {about} ", 1)


def _heat_maps(results: Mapping[str, Any]) -> list[Drawing | None]:
    """Gain by intermediate task and target; one map for each of what else varies, none for a single gain."""
    rows = [row for row in results["rows"] if row["gain"]]
    found: list[Drawing | None] = []
    groups: dict[tuple[str, ...], list[Any]] = {}
    for row in rows:
        size = f"{row['size'] or 'all'} intermediate examples"
        groups.setdefault((row["model"], size, row["transfer"], row["module"]), []).append(row)
    varied = [i for i in range(4) if len({key[i] for key in groups}) > 1]
    maps = {key: some for key, some in groups.items() if len(some) > 1}
    for number, (key, some) in enumerate(maps.items(), start=1):
        where = ", ".join(key[i] for i in varied)
        down = list(dict.fromkeys(row["intermediate"] for row in some))
        across = list(dict.fromkeys(row["target"] for row in some))
        values = {(row["intermediate"], row["target"]): row["gain"] for row in some}
        title = "Gain by intermediate task and target" + (f": {where}" if where else "")
        found.append(_heat_map(f"gain-{number}", title, down, across, values))
    return found


def _language_map(results: Mapping[str, Any]) -> Drawing | None:
    """Gain by target and language, on the mean over everything else."""
    gains: dict[tuple[str, str], list[float]] = {}
    for row in results["rows"]:
        for language, told in row["languages"].items():
            if told["gain"]:
                gains.setdefault((language, row["target"]), []).append(told["gain"]["value"])
    if not gains:
        return None
    values = {key: {"value": float(np.mean(found)), "call": None} for key, found in gains.items()}
    down = by_distance(list(dict.fromkeys(language for language, _ in gains)))
    across = list(dict.fromkeys(target for _, target in gains))
    names = {code: f"{language_of(code).name} ({code})" for code in down}
    return _heat_map(
        "gain-by-language", "Gain by language and target, from near English to far", down, across, values, names
    )


def _heat_map(
    name: str,
    title: str,
    down: Sequence[str],
    across: Sequence[str],
    values: Mapping[tuple[str, str], Mapping[str, Any]],
    names: Mapping[str, str] | None = None,
) -> Drawing | None:
    if not values:
        return None
    table = np.full((len(down), len(across)), np.nan)
    for (row, column), found in values.items():
        table[down.index(row), across.index(column)] = found["value"]
    most = max(LEAST_RANGE, float(np.nanmax(np.abs(table))))

    def paint(axes: Axes) -> None:
        colours = mpl.colormaps["RdBu"]
        for (y, x), value in np.ndenumerate(table):
            if np.isnan(value):
                continue
            colour = colours(0.5 + 0.42 * value / most)
            axes.add_patch(mpl.patches.Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, color=colour, lw=0))
            dark = 0.3 * colour[0] + 0.6 * colour[1] + 0.1 * colour[2] < 0.55
            call = values[down[y], across[x]]["call"]
            text = f"{value:+.1f}" + ("*" if call in {"gain", "loss"} else "")
            weight = "bold" if call in {"gain", "loss"} else "normal"
            axes.text(x, y, text, ha="center", va="center", color="#ffffff" if dark else "#101418", weight=weight)
        axes.set_xlim(-0.5, len(across) - 0.5)
        axes.set_ylim(len(down) - 0.5, -0.5)
        axes.set_xticks(range(len(across)), across, rotation=35, ha="right")
        axes.set_yticks(range(len(down)), [(names or {}).get(key, key) for key in down])
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)

    size = (2.2 + 0.75 * len(across), 0.9 + 0.3 * len(down))
    caption = "Points over the same system without intermediate phase, on the mean over languages and seeds."
    if names is not None:
        caption = "Points, on the mean over intermediate tasks, seeds and what else varies."
    else:
        caption += " Bold with a star: a gain or loss beyond noise over the whole grid."
    return _draw(name, title, caption, size, paint)


def _curves(results: Mapping[str, Any]) -> Drawing | None:
    curves = results.get("curves", [])[:MOST_CURVES]
    if not curves:
        return None

    def paint(axes: Axes) -> None:
        colours = mpl.colormaps["tab20"]
        for number, curve in enumerate(curves):
            sizes = np.array([point["size"] for point in curve["points"]], float)
            values = [point["value"] for point in curve["points"]]
            low, high = np.array([point["ci95"] for point in curve["points"]]).T
            colour = colours(number * 2 % 20)
            axes.fill_between(sizes, low, high, color=colour, alpha=0.15, lw=0)
            axes.plot(sizes, values, "o", color=colour, ms=4)
            log = next((fit for fit in curve["fits"] if fit["form"].startswith("a + b")), None)
            if log is not None:
                line = log["parameters"]["a"] + log["parameters"]["b"] * np.log2(sizes)
                axes.plot(sizes, line, color=colour, lw=1.2)
            axes.plot([], [], color=colour, marker="o", ms=4, label=curve["name"])
        axes.axhline(0, color=MUTED, lw=0.8)
        axes.set_xscale("log")
        ticks = sorted({point["size"] for curve in curves for point in curve["points"]})
        axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("examples of the intermediate task")
        axes.set_ylabel("gain, points")
        axes.legend(fontsize=8)

    return _draw(
        "scaling",
        "Gain by size of the intermediate training",
        "Points with their 95% intervals, and the fitted a + b log2(size).",
        (6.4, 3.8),
        paint,
    )


def _models(results: Mapping[str, Any]) -> Drawing | None:
    """Scores with and without the intermediate phase by the size of the encoder."""
    rows = [row for row in results["rows"] if row["gain"] and row.get("parameters")]
    if len({row["parameters"] for row in rows}) < 2:
        return None
    targets = list(dict.fromkeys(row["target"] for row in rows))

    def paint(axes: Axes) -> None:
        colours = mpl.colormaps["tab10"]
        for number, target in enumerate(targets):
            own = [row for row in rows if row["target"] == target]
            counts = sorted({row["parameters"] for row in own})
            for side, line in (("score", "-"), ("baseline", "--")):
                means = [np.mean([r[side]["value"] for r in own if r["parameters"] == n]) for n in counts]
                label = f"{target}{'' if side == 'score' else ', without'}"
                axes.plot(
                    np.array(counts) / 1e6, means, line, marker="o", ms=4, color=colours(number), label=label
                )
        axes.set_xscale("log")
        ticks = sorted({row["parameters"] for row in rows})
        axes.set_xticks([tick / 1e6 for tick in ticks], [f"{tick / 1e6:,.0f}" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("parameters of the encoder without embeddings, millions")
        axes.set_ylabel("points, mean over languages")
        axes.legend(fontsize=8)

    caption = "Solid with the intermediate phase, dashed without."
    return _draw("model-size", "Score by size of the encoder", caption, (6.4, 3.8), paint)


def _bars(results: Mapping[str, Any]) -> list[Drawing | None]:
    """Scores with and without the intermediate phase by language, on the mean over all rows, in two orders."""
    compared = any(row["gain"] for row in results["rows"])
    scores: dict[str, list[tuple[float, float]]] = {}
    for row in results["rows"]:
        for language, told in row["languages"].items():
            if told["gain"] or not compared:
                without = told["baseline"]["value"] if told["gain"] else np.nan
                scores.setdefault(language, []).append((told["score"]["value"], without))
    if not scores:
        return []
    means = {language: tuple(np.mean(found, axis=0)) for language, found in scores.items()}
    levels = {code: language_of(code).level or "unknown" for code in scores}
    caption = OVER_ALL if len(results["rows"]) > 1 else ""
    resources = _bar_chart(
        "languages-by-resources",
        "Scores by language, from high to low resource level",
        by_resources(list(scores)),
        means,
        lambda code: f"{language_of(code).name}, {levels[code]}",
        caption,
    )
    distance = _bar_chart(
        "languages-by-distance",
        "Scores by language, from near English to far",
        by_distance(list(scores)),
        means,
        lambda code: f"{language_of(code).name}, {_distance(code)}",
        caption,
    )
    return [resources, distance]


def _distance(code: str) -> str:
    distance = language_of(code).distance
    return "?" if distance is None else f"{distance:.2f}"


def _bar_chart(
    name: str,
    title: str,
    codes: Sequence[str],
    means: Mapping[str, Any],
    label: Callable[[str], str],
    caption: str,
) -> Drawing:
    compared = not any(np.isnan(means[code][1]) for code in codes)

    def paint(axes: Axes) -> None:
        y = np.arange(len(codes))
        up = 0.2 if compared else 0.0
        axes.barh(y - up, [means[code][0] for code in codes], 0.38, color=ACCENT, label="with")
        if compared:
            axes.barh(y + 0.2, [means[code][1] for code in codes], 0.38, color=SECOND, label="without")
            axes.legend(title="intermediate phase", loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
        axes.set_yticks(y, [label(code) for code in codes])
        axes.set_ylim(len(codes) - 0.4, -0.6)
        axes.set_xlabel("points")

    return _draw(name, title, caption, (6.4, 1.2 + 0.3 * len(codes)), paint)


def _costs(results: Mapping[str, Any]) -> Drawing | None:
    rows = [row for row in results["rows"] if row.get("cost") and row["score"]]
    if len(rows) < 2:
        return None
    targets = list(dict.fromkeys(row["target"] for row in rows))

    def paint(axes: Axes) -> None:
        colours = mpl.colormaps["tab10"]
        for number, target in enumerate(targets):
            own = [row for row in rows if row["target"] == target]
            seconds = [row["cost"]["training_seconds"] for row in own]
            axes.plot(
                seconds, [r["score"]["value"] for r in own], "o", color=colours(number % 10), ms=5, label=target
            )
        axes.set_xlim(left=0)
        axes.set_xlabel("seconds of training, both phases")
        axes.set_ylabel("points, mean over languages")
        axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))

    caption = "Each point is a combination; phases that several share are counted for each."
    return _draw("cost", "Score against cost", caption, (6.4, 3.6), paint)
