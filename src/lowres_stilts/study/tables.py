"""The tables of a report as CSV, Markdown and LaTeX."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lowres_stilts.evaluation.table import PARTS
from lowres_stilts.study.headline import plain, signed

LATEX = str.maketrans(
    {"&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}",
     "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "<": r"\textless{}", ">": r"\textgreater{}"}
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """Rows of texts for readers, and of single values for programs."""

    name: str
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    values_head: Sequence[str]
    values: Sequence[Sequence[Any]]

    def csv(self) -> str:
        """One value in each field."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.values_head)
        writer.writerows(self.values)
        return out.getvalue()

    def markdown(self) -> str:
        """For readers."""
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)

    def latex(self) -> str:
        """A tabular in the style of booktabs."""
        lines = [" & ".join(cell.translate(LATEX) for cell in row) + r" \\" for row in [self.head, *self.rows]]
        body = "\n".join(lines[1:])
        columns = "l" * len(self.head)
        return (
            f"\\begin{{tabular}}{{{columns}}}\n\\toprule\n{lines[0]}\n\\midrule\n{body}\n\\bottomrule\n"
            "\\end{tabular}\n"
        )


def tables(results: Mapping[str, Any]) -> list[Table]:
    """All tables for which there is something to say."""
    found = [_combinations(results), _languages(results), _claims(results), _fits(results)]
    return [table for table in found if table.rows]


AXES = ("model", "intermediate", "target", "size", "transfer", "module")
FIGURES = ("value", "low", "high")


def _combinations(results: Mapping[str, Any]) -> Table:
    rows, values = [], []
    varied = [key for key in AXES if len({str(row[key]) for row in results["rows"]}) > 1] or ["target"]
    for row in results["rows"]:
        gain = row["gain"]
        rows.append(
            [
                *(str(row[key]) for key in varied),
                str(len(row["seeds"])),
                plain(row["baseline"]) if row["baseline"] else "",
                plain(row["score"]),
                signed(gain) if gain else "",
                gain.get("call", "") if gain else "",
            ]
        )
        effect = [gain.get(key, "") for key in ("effect", "p", "adjusted_p", "call")] if gain else [""] * 4
        values.append(
            [
                *(row[key] for key in AXES),
                row["metric"],
                len(row["seeds"]),
                *_flat(row["baseline"]),
                *_flat(row["score"]),
                *_flat(gain),
                *effect,
            ]
        )
    sides = [f"{side}_{figure}" for side in ("baseline", "score", "gain") for figure in FIGURES]
    return Table(
        "combinations",
        "All combinations",
        [*varied, "seeds", "without", "with", "gain", "call"],
        rows,
        [*AXES, "metric", "seeds", *sides, "effect", "p", "adjusted_p", "call"],
        values,
    )


def _languages(results: Mapping[str, Any]) -> Table:
    rows, values = [], []
    varied = [key for key in AXES if len({str(row[key]) for row in results["rows"]}) > 1] or ["target"]
    scores = [told["score"] for row in results["rows"] for told in row["languages"].values()]
    parts = [name for name in PARTS if scores and all(name in score for score in scores)]
    for row in results["rows"]:
        for language, told in row["languages"].items():
            gain = told["gain"]
            own = [round(told["score"][name], 1) for name in parts]
            without = plain(told["baseline"]) if told["baseline"] else ""
            shown = [plain(told["score"]), signed(gain) if gain else ""]
            shown += map(str, own)
            name = f"{language}, with labels" if language in row.get("labelled", ()) else language
            rows.append([*(str(row[key]) for key in varied), name, str(told["n"]), without, *shown])
            about = [*(row[key] for key in AXES), row["metric"], language, told["n"]]
            values.append([*about, *_flat(told["baseline"]), *_flat(told["score"]), *_flat(gain), *own])
    sides = [f"{side}_{figure}" for side in ("baseline", "score", "gain") for figure in FIGURES]
    return Table(
        "languages",
        "All languages",
        [*varied, "language", "n", "without", "with", "gain", *parts],
        rows,
        [*AXES, "metric", "language", "n", *sides, *parts],
        values,
    )


def _claims(results: Mapping[str, Any]) -> Table:
    rows, values = [], []
    for claim in results.get("claims", []):
        found = claim["measured"]
        shown = "" if found is None else signed(found) if found["unit"] == "points" else _correlated(found)
        rows.append([claim["claim"], claim["paper"], shown, claim["verdict"]])
        values.append(
            [claim["claim"], claim["paper"], *_flat(found), found["unit"] if found else "", claim["verdict"]]
        )
    head = ["claim", "paper", "measured here", "verdict at this scale"]
    return Table("claims", "Claims", head, rows, ["claim", "paper", *FIGURES, "unit", "verdict"], values)


def _fits(results: Mapping[str, Any]) -> Table:
    rows, values = [], []
    for curve in results.get("curves", []):
        for fit in curve["fits"]:
            for name, value in fit["parameters"].items():
                low, high = fit["intervals"][name]
                rows.append([curve["name"], fit["form"], name, f"{value:.2f} [{low:.2f}, {high:.2f}]"])
                values.append([curve["name"], fit["form"], name, value, low, high])
    head = ["curve", "form", "parameter"]
    return Table("fits", "Fitted curves", [*head, "value"], rows, [*head, *FIGURES], values)


def _correlated(found: Mapping[str, Any]) -> str:
    low, high = found["ci95"]
    return f"r = {found['value']:.2f} [{low:.2f}, {high:.2f}]"


def _flat(found: Mapping[str, Any] | None) -> list[Any]:
    return [found["value"], *found["ci95"]] if found else ["", "", ""]
