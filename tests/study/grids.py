"""A small study over the tasks of `tests.project`."""

from pathlib import Path
from typing import Any

import yaml

from tests.project import write_project

TRAIN = {"epochs": 1, "lr": 2e-3, "tokens_per_batch": 128, "checkpoint_every": 2, "limit": 24, "fit": False}


def write_study(folder: Path, model: Path, *, examples: int = 30, **changes: Any) -> Path:
    """Writes data and a study; `changes` replace its keys."""
    recipe = yaml.safe_load(write_project(folder, model, examples=examples).read_text())
    axes = {
        "models": {"tiny": {"model": {"id": recipe["model"].pop("id")}}},
        "intermediate": {"choice": None, "tags": None},
        "targets": {"mood": None, "pairs": None},
        "seeds": [1, 2],
    }
    recipe["intermediate"] = {"module": {"rank": 4, "alpha": 8}, "train": TRAIN}
    recipe["target"] = {"module": {"rank": 4, "alpha": 8}, "train": TRAIN}
    del recipe["name"]
    recipe["data"]["files"]["text"] = {"test": "text-test-{lang}.txt"}
    study = {
        "name": "grid",
        "title": "A small grid",
        "question": "Does it run?",
        "recipe": recipe,
        "axes": axes,
        "claims": [
            {"text": "Retrieval gains most", "kind": "most", "of": {"target": "pairs"}, "over": "target"},
            {"text": "Tags help", "paper": "+8.2", "kind": "gain", "of": {"intermediate": "tags"}},
            {"text": "Mood does not gain", "kind": "no_gain", "of": {"target": "mood"}},
            {"text": "MLM does not help", "kind": "absent", "note": "no MLM here"},
        ],
        "statistics": {"samples": 200},
    }
    for key, value in changes.items():
        place: Any = study
        *path, last = key.split("__")
        for part in path:
            place = place[part]
        if value is None:
            place.pop(last)
        else:
            place[last] = value
    file = folder / "study.yaml"
    file.write_text(yaml.safe_dump(study, sort_keys=False))
    return file
