"""What each of two processes does for `test_team.py`: trains the same tiny encoders, in the ways that are listed.

Usage: python -m tests.training.pair MODEL FOLDER
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from lowres_stilts.training.team import ALONE, Team, joined
from tests.training.bench import Bench, Killed
from tests.training.test_frugal import EXACT, Full
from tests.training.test_loop import Mixed

SCENARIOS = {
    "plain": {"epochs": 2},
    "one example at a time": {"epochs": 1, "tokens_per_batch": 1},
    "in parts": {"epochs": 1, "tokens_per_batch": 10**6, "tokens_at_once": 60},
    "memory runs out": {"epochs": 1, "tokens_per_batch": 240},
    "mixed": {"epochs": 1, "accumulate": 3, "tokens_per_batch": 100},
    "lower layers": {"epochs": 2, "reuse_lower_layers": True},
}


def trained(scenario: str, model: str, folder: Path, team: Team = ALONE) -> Bench:
    """A bench after training in one of the ways."""
    kind = Mixed if scenario == "mixed" else Bench
    layers = [1] if scenario == "lower layers" else None
    bench = kind(model, layers=layers, dropout=0.0, **EXACT).without_dropout()
    if scenario == "memory runs out" and not team.is_main:
        Full(bench, 60, torch.OutOfMemoryError)
    bench.progress = bench.train(folder / f"{scenario}.checkpoint", team=team, **SCENARIOS[scenario])
    return bench


def _resumed(model: str, folder: Path, team: Team) -> dict[str, bool]:
    """With dropout, interrupted and not."""
    whole, killed, again = (Bench(model) for _ in range(3))
    whole.train(folder / "whole", team=team, epochs=2)
    try:
        killed.train(folder / "killed", team=team, epochs=2, kill_after=4)
    except Killed:
        team.wait()
    again.train(folder / "killed", team=team, epochs=2)
    first = whole.weights()
    return {"same": all(torch.equal(value, first[name]) for name, value in again.weights().items())}


def _patient(model: str, folder: Path, team: Team) -> dict[str, object]:
    """Stops where main's scores say so, which the others never ask for."""
    scores = iter([10.0, 30.0, 20.0, 30.0] if team.is_main else [])
    bench = Bench(model)
    progress = bench.train(
        folder / "patient", team=team, dev_score=lambda: next(scores), evaluate_every=1, patience=2
    )
    return {"update": progress.update, "best": progress.best_update}


def _main(model: str, folder: Path) -> None:
    with joined() as team:
        mine = folder / str(team.rank)
        mine.mkdir(parents=True)
        told: dict[str, object] = {}
        for scenario in SCENARIOS:
            bench = trained(scenario, model, mine, team)
            save_file(bench.weights(), mine / f"{scenario}.safetensors")
            told[scenario] = {"losses": bench.losses, "at once": bench.progress.tokens_at_once}
        told["noise"] = _noise(team)
        told["patient"] = _patient(model, mine, team)
        told["resumed"] = _resumed(model, folder, team)
        (mine / "told.json").write_text(json.dumps(told))


def _noise(team: Team) -> float:
    torch.manual_seed(0)
    team.draw_apart(13, 0)
    return float(torch.rand(()))


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]))
