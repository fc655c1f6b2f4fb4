"""Trains two targets with every transfer mode and writes docs/transfer-modes.md from what they measured.

A run folder that is finished is read, not run again.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
MODES = ("continue", "stack", "fuse", "merge")
TARGETS = {
    "xquad": ["intermediate.tasks=[tydiqa, csqa]", "intermediate.train.dev_limit=40"],
    "udpos": ["intermediate.tasks=[panx, csqa]", "intermediate.train.limit=500"],
}
"""Small recipes by target, each with two intermediate tasks."""
HEAD = """# Transfer modes, measured

Written by `benchmarks/transfer_modes.py` from each run's `results.json`; nothing here is typed in by hand.
These are the small recipes of two targets, each with two intermediate tasks: one module for both under
`continue` and `stack`, one for each under `fuse` and `merge`. They train the 118M-parameter starter for
minutes on two CPU cores, one seed each; intervals are 95% bootstraps over examples, so they do not cover the
luck of the training. Means over languages without English, in points.
"""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("LOWRES_STILTS_DATA", ROOT.parent / "shared/data")
    )
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "modes")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "transfer-modes.md")
    arguments = parser.parse_args()
    found = {
        (target, mode): _run(target, mode, arguments.data, arguments.runs) for target in TARGETS for mode in MODES
    }
    arguments.output.write_text(
        "\n".join([HEAD, *(_section(target, found) for target in TARGETS)]), encoding="utf-8"
    )


def _run(target: str, mode: str, data: Path, runs: Path) -> dict[str, Any]:
    settings = [f"data.dir={data}", f"target.transfer={mode}", *TARGETS[target]]
    command = [
        *(sys.executable, "-m", "lowres_stilts", "run"),
        str(ROOT / "configs" / "xtreme" / f"{target}-small.yaml"),
        *(part for setting in settings for part in ("--set", setting)),
        *("-o", str(runs / f"{target}-{mode}"), "--resume", "--json"),
    ]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    results: dict[str, Any] = json.loads(done.stdout)
    return results


def _section(target: str, found: dict[tuple[str, str], dict[str, Any]]) -> str:
    first = found[target, MODES[0]]
    task = first["recipe"]["target"]["task"]
    metric = next(iter(first["scores"][task].values()))["metric"]
    intermediate = " and ".join(first["recipe"]["intermediate"]["tasks"])
    rows = ["| mode | mean | gain over the baseline | English dev | trained parameters |", "|---|---|---|---|---|"]
    alone = next(phase for phase in first["phases"] if phase["phase"] == "2-target-baseline")
    rows.append(_row("baseline", first["mean_without_english"][task]["baseline"], None, alone))
    for mode in MODES:
        results = found[target, mode]
        means = results["mean_without_english"][task]
        phase = next(phase for phase in results["phases"] if phase["phase"] == "2-target")
        rows.append(_row(mode, means["scores"], means["gain"], phase))
    merged = next(phase for phase in found[target, "merge"]["phases"] if phase["phase"] == "2-target")["merged"]
    weights = ", ".join(f"{name} {weight:g}" for name, weight in merged["weights"].items())
    return (
        f"## {target} after {intermediate}\n\nMetric {metric}.\n\n"
        + "\n".join(rows)
        + (f"\n\nThe weights that merging found best on English dev: {weights}.\n")
    )


def _row(mode: str, score: dict[str, Any], gain: dict[str, Any] | None, phase: dict[str, Any]) -> str:
    cells = [mode, _shown(score, ""), _shown(gain, "+") if gain else "", f"{phase['dev_score']:.1f}"]
    return f"| {' | '.join(cells)} | {phase['trainable_parameters']:,} |"


def _shown(score: dict[str, Any], sign: str) -> str:
    low, high = score["ci95"]
    return f"{score['value']:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"


if __name__ == "__main__":
    main()
