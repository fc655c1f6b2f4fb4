"""Whole runs on the card: phases, transfer modes, evaluation and packages are those of the CPU."""

import json

import pytest
import yaml
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
    "evaluate": {"bootstrap": 10, "languages": ["sw"]},
}
PLANS = {
    "stack": {},
    "continue": {"target__transfer": "continue", "target__module": None},
    "fuse": {"target__transfer": "fuse"},
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
