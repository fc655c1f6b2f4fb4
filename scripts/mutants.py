"""Mutation testing of one room: `python scripts/mutants.py tasks`, or `... hub --sample 120`.

mutmut changes the room's code at one place at a time and runs the tests that reach it. It works in a clone below
`build/mutants`, so it tries what is committed; begun again on the same commit, it goes on. Printed is how many
changes are noticed.
"""

import argparse
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

from statsmodels.stats.proportion import proportion_confint

ROOT = Path(__file__).resolve().parent.parent
TESTS = {
    "recipe": ("tests/recipe", "tests/test_configs.py"),
    "tasks": ("tests/tasks", "tests/test_plugins.py"),
    "evaluation": ("tests/evaluation", "tests/test_small_recipes.py"),
    "hub": ("tests/hub",),
}
NOTICED = {"killed", "timeout", "segfault"}
SETTINGS = """\
[mutmut]
source_paths = src
only_mutate = src/lowres_stilts/{room}/*
also_copy =
    adapters
    configs
    README.md
pytest_add_cli_args =
    -m
    not slow
    -p
    no:randomly
    -W
    ignore
pytest_add_cli_args_test_selection =
    {tests}
"""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("room", choices=TESTS)
    parser.add_argument("--sample", type=int, help="try so many of the changes, drawn at random")
    parser.add_argument("--children", type=int, default=os.cpu_count() or 1, help="so many at once")
    arguments = parser.parse_args()
    folder = _clone(arguments.room)
    settings = SETTINGS.format(room=arguments.room, tests="\n    ".join(TESTS[arguments.room]))
    (folder / "setup.cfg").write_text(settings, encoding="utf-8")
    chosen: list[str] = []
    if arguments.sample:
        # Makes the changes and times the tests, then says that no change is called so.
        _mutmut(folder, "run", "none", check=False)
        chosen = random.Random(7).sample(sorted(_results(folder)), arguments.sample)  # noqa: S311 - no secret
    _mutmut(folder, "run", "--max-children", str(arguments.children), *chosen)
    _tell(_results(folder), chosen)


def _clone(room: str) -> Path:
    """What is committed, in a folder named after the commit: results of other code or tests say nothing of it."""
    told = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    folder = ROOT / "build" / "mutants" / f"{room}-{told.stdout.strip()}"
    if not folder.exists():
        subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    return folder


def _tell(status_of: dict[str, str], chosen: list[str]) -> None:
    tried = {name: status_of[name] for name in chosen or status_of}
    for name, status in sorted(tried.items()):
        if status not in NOTICED:
            print(f"{status}: {name}")
    noticed = sum(status in NOTICED for status in tried.values())
    low, high = proportion_confint(noticed, len(tried), method="wilson")
    print(dict(Counter(tried.values())))
    interval = f", 95% interval {low:.1%} to {high:.1%}" if chosen else ""
    print(f"noticed: {noticed} of {len(tried)}, {noticed / len(tried):.1%}{interval}")


def _mutmut(folder: Path, *arguments: str, check: bool = True) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-m", "mutmut", *arguments]
    subprocess.run(command, cwd=folder, env=environment | {"OMP_NUM_THREADS": "1"}, check=check)


def _results(folder: Path) -> dict[str, str]:
    command = [sys.executable, "-m", "mutmut", "results", "--all", "true"]
    told = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    return dict(line.strip().split(": ", 1) for line in told.splitlines() if ": " in line)  # type: ignore[misc]


if __name__ == "__main__":
    main()
