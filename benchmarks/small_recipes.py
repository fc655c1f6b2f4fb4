"""Runs every small XTREME recipe and writes docs/xtreme-small.md from what they measured.

A run folder that is finished is read, not run again.
"""

import argparse
import json
import os
import subprocess
import sys
from itertools import starmap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
TASKS = ("xnli", "pawsx", "panx", "udpos", "xcopa", "tydiqa", "xquad", "mlqa", "tatoeba", "bucc2018", "multitask")
HEAD = """# The small XTREME recipes, measured

Written by `benchmarks/small_recipes.py` from each run's `results.json`; nothing here is typed in by hand. They
train the 118M-parameter starter on a few thousand examples for minutes, on two CPU cores, and evaluate on the
first examples of each language: they show that everything works on real data, not how good a model can get. One
seed each; intervals are 95% bootstraps over examples, so they do not cover the luck of the training.
"""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("LOWRES_STILTS_DATA", ROOT.parent / "shared/data")
    )
    parser.add_argument("--runs", type=Path, default=ROOT / "runs")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "xtreme-small.md")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS, help="all by default")
    arguments = parser.parse_args()
    results = {task: _run(task, arguments.data, arguments.runs) for task in arguments.tasks}
    sections = [HEAD, _overview(results), *(_section(task, result) for task, result in results.items())]
    arguments.output.write_text("\n".join(sections), encoding="utf-8")


def _run(task: str, data: Path, runs: Path) -> dict[str, Any]:
    recipe = ROOT / "configs" / "xtreme" / f"{task}-small.yaml"
    command = [
        *(sys.executable, "-m", "lowres_stilts", "run", str(recipe)),
        *("--set", f"data.dir={data}", "-o", str(runs / task), "--resume", "--json"),
    ]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    results: dict[str, Any] = json.loads(done.stdout)
    return results


def _overview(results: dict[str, dict[str, Any]]) -> str:
    rows = [
        "| task | intermediate | metric | baseline | STILTs | gain | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, result in results.items():
        task = result["recipe"]["target"]["task"]
        means = result["mean_without_english"][task]
        metric = next(iter(result["scores"][task].values()))["metric"]
        intermediate = ", ".join(result["recipe"]["intermediate"]["tasks"])
        cells = [_shown(means["baseline"]), _shown(means["scores"]), _shown(means["gain"], "+")]
        seconds = f"{result['cost']['seconds']:.0f}"
        rows.append(" | ".join([f"| [{name}](#{name})", intermediate, metric, *cells, f"{seconds} |"]))
    return "Means over languages without English.\n\n" + "\n".join(rows) + "\n"


def _section(name: str, result: dict[str, Any]) -> str:
    task, evaluation = result["recipe"]["target"]["task"], result["evaluation"]
    trained = "; ".join(
        f"{phase['phase']}: {', '.join(starmap(_trained, phase['tasks'].items()))}" for phase in result["phases"]
    )
    rows = ["| language | n | baseline | STILTs | gain |", "|---|---|---|---|---|"]
    for language, score in result["scores"][task].items():
        cells = [
            _shown(result["baseline"][task][language]),
            _shown(score),
            _shown(result["gain"][task][language], "+"),
        ]
        rows.append(f"| {language} | {score['n']} | {' | '.join(cells)} |")
    split = f"Split {evaluation['split']}, the first {evaluation['limit']} examples of each language."
    return f"## {name}\n\n{split} {trained}.\n\n" + "\n".join(rows) + "\n"


def _trained(task: str, numbers: dict[str, Any]) -> str:
    return f"{task} ({numbers['examples_per_epoch']} examples an epoch, English dev {numbers['dev_score']:.1f})"


def _shown(value: dict[str, Any], sign: str = "") -> str:
    low, high = value["ci95"]
    return f"{value['value']:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"


if __name__ == "__main__":
    main()
