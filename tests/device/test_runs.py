"""Whole runs on the card: phases, transfer modes, evaluation and packages are those of the CPU."""

import pytest
import torch
from safetensors.torch import load_file

from lowres_stilts.pipeline import run
from lowres_stilts.recipe import Recipe
from tests.device.card import RTX_3060
from tests.device.disguise import Card
from tests.project import write_project

QUICK = {"epochs": 1, "lr": 2e-3, "tokens_per_batch": 256, "checkpoint_every": 99}
MODULE = {"rank": 4, "alpha": 8}
SMALL = {
    "examples": 18,
    "model__compute": "float32",
    "intermediate__train": QUICK,
    "target__train": QUICK,
    "evaluate": {"bootstrap": 100, "languages": ["sw"], "baseline": False},
}
PLANS = {
    "stack": {"evaluate": {"bootstrap": 100}},
    "continue": {"target__transfer": "continue", "target__module": None},
    "fuse": {"target__transfer": "fuse", "intermediate__tasks": ["choice", "tags"]},
    "merge": {"target__transfer": "merge"},
    "retrieval": {"target": {"task": "pairs", "transfer": "stack"}},
    "bottleneck": {
        "intermediate__module": {"kind": "bottleneck", "reduction": 4},
        "target__module": {"kind": "bottleneck", "reduction": 4},
        "target__task": "tags",
    },
}


def _run(folder, recipe, device):
    return run(Recipe.load(recipe, [f"model.device={device}"]), folder / device, resume=False)


def _scores(results):
    return {key: results[key] for key in ("scores", "baseline", "gain") if key in results}


def _weights(folder):
    """Of all modules and heads, by file and name."""
    return {
        (str(path.relative_to(folder)), name): weight
        for path in sorted(folder.rglob("*.safetensors"))
        for name, weight in load_file(path).items()
    }


@pytest.mark.parametrize("plan", PLANS)
def test_a_run_ends_with_the_scores_and_weights_of_the_cpu(plan, tiny_model, tmp_path, private_cache):
    recipe = write_project(tmp_path, tiny_model, **SMALL | PLANS[plan])
    here = _run(tmp_path, recipe, "cpu")
    with Card(RTX_3060) as card:
        there = _run(tmp_path, recipe, "cuda")
    assert card.counts.launched["native_layer_norm"]
    assert there["cost"]["peak_memory_bytes"] == card.memory.peak
    assert there["phases"][0]["updates"] == here["phases"][0]["updates"]
    expected, found = _weights(tmp_path / "cpu"), _weights(tmp_path / "cuda")
    assert expected
    assert expected.keys() == found.keys()
    for name, weight in expected.items():
        if name[1] != "choice.projection.bias":
            torch.testing.assert_close(found[name], weight, atol=1e-3, rtol=1e-2, msg=str(name))
    assert _scores(there) == _scores(here)
