"""What a study saves: a 4 x 4 grid against 16 separate runs, and what its engine costs for each cell.

The model is the starter, the data the offline starter's: four settings of the intermediate task and four of the
target, one seed. Both sides begin with an empty cache of features and train the same; the grid does shared phases
once and uses every core with one thread, a run uses all cores for one phase.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from lowres_stilts.encoder.starter import starter_model_dir
from lowres_stilts.study.load import load_study
from report import Result, print_results, write_report

ROOT = Path(__file__).resolve().parent.parent
RANKS = (2, 4, 8, 16)
"""Ranks of the intermediate module: four intermediate settings."""
RATES = (3e-4, 5e-4, 8e-4, 1e-3)
"""Learning rates of the target phase: four targets' worth of training."""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer examples, one round")
    parser.add_argument("--rounds", type=int, help="3, with --quick 1")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    limit, rounds = (60, arguments.rounds or 1) if arguments.quick else (300, arguments.rounds or 3)
    raw = [measured(limit) for _ in range(rounds)]
    speedup = [each["separate_s"] / each["grid_s"] for each in raw]
    overhead = [each["overhead_s_per_run"] for each in raw]
    results = [
        Result("grid_speedup", statistics.median(speedup), "x", rounds),
        Result("engine_overhead_s_per_run", statistics.median(overhead), "s", rounds),
        Result("grid_s", statistics.median(each["grid_s"] for each in raw), "s", rounds),
        Result("separate_runs_s", statistics.median(each["separate_s"] for each in raw), "s", rounds),
    ]
    print_results("A 4 x 4 grid, as a study and as 16 runs", results)
    if arguments.json:
        setup = {
            "model": "starter:multilingual-minilm",
            "examples": limit,
            "cells": 16,
            "peer": "lowres-stilts run",
        }
        write_report(arguments.json, results, setup=setup, raw=raw)


def measured(limit: int) -> dict[str, Any]:
    """Seconds of both sides, one after the other, each with a cache of its own for what it computes."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        study = place / "study.yaml"
        study.write_text(yaml.safe_dump(grid(limit), sort_keys=False), encoding="utf-8")
        grid_s = _timed(["study", str(study), "-o", str(place / "study")], place / "cache-of-study")
        recipes = cells(study, place)
        separate_s = sum(
            _timed(["run", str(recipe), "-o", str(place / recipe.stem)], place / "cache-of-runs")
            for recipe in recipes
        )
        return {
            "grid_s": grid_s,
            "separate_s": separate_s,
            "overhead_s_per_run": overhead(place / "study", grid_s) / len(recipes),
        }


def grid(limit: int) -> dict[str, Any]:
    """A study of sixteen cells."""
    train = {"epochs": 1, "limit": limit, "dev_limit": 20, "lr": 5e-4, "tokens_per_batch": 1024}
    return {
        "name": "grid",
        "title": "4 x 4",
        "recipe": {
            "data": {"source": "starter"},
            "model": {"head": "mean"},
            "intermediate": {"tasks": ["starter-reply"], "train": train},
            "target": {"task": "starter-topic", "train": train},
            "evaluate": {"limit": 20, "languages": ["en", "it", "ko"]},
        },
        "axes": {
            "models": ["starter:multilingual-minilm"],
            "intermediate": {
                f"rank-{rank}": {"intermediate": {"tasks": ["starter-reply"], "module": {"rank": rank}}}
                for rank in RANKS
            },
            "targets": {
                f"rate-{rate:g}": {"target": {"task": "starter-topic", "train": {"lr": rate}}} for rate in RATES
            },
            "seeds": [13],
        },
    }


def cells(study: Path, place: Path) -> list[Path]:
    """The recipe of every cell, as a file."""
    _, recipes = load_study(study)
    paths = []
    for number, recipe in enumerate(recipes.values()):
        paths.append(place / f"run-{number}.yaml")
        values = yaml.safe_load(recipe.as_yaml())
        paths[-1].write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return paths


def overhead(folder: Path, wall: float) -> float:
    """Seconds of wall-clock time in which no step was under way, start and report counted in."""
    events = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    busy, running, since = 0.0, 0, 0.0
    for event in sorted(events, key=lambda each: each["time"]):
        if event["event"] == "step started":
            since = event["time"] if running == 0 else since
            running += 1
        elif event["event"] == "step done":
            running -= 1
            busy += event["time"] - since if running == 0 else 0.0
    return wall - busy


def _timed(arguments: Sequence[str], cache: Path) -> float:
    cache.mkdir(exist_ok=True)
    _share_the_model(cache)
    started = time.perf_counter()
    command = [sys.executable, "-m", "lowres_stilts", *arguments]
    environment = {**os.environ, "LOWRES_STILTS_CACHE": str(cache)}
    done = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}")
    return time.perf_counter() - started


def _share_the_model(cache: Path) -> None:
    """Both sides find the starter converted; only features are their own."""
    model = starter_model_dir()
    link = cache / model.name
    if not link.exists():
        link.symlink_to(model, target_is_directory=True)


if __name__ == "__main__":
    main()
