"""Finished runs of the small project at tiny size, and their packages: each made once for all that need it."""

import json
import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from lowres_stilts.display import Display
from lowres_stilts.hub.pack import pack_run
from lowres_stilts.pipeline import run
from lowres_stilts.recipe import Recipe
from tests.models import tiny_base
from tests.once import Once
from tests.project import write_project
from tests.written import write_run

FLOAT = {"model__quantize": "none", "model__embeddings": "none", "model__compute": "float32"}


def finished_run(
    once: Once,
    *,
    family: str = "xlm-roberta",
    trained: bool = False,
    settings: Sequence[str] = (),
    add: Callable[[Path], None] = lambda _: None,
    **changes: Any,
) -> tuple[Recipe, dict[str, Path]]:
    """The recipe of a run, and its packages by phase; nobody may change them.

    Args:
        once: makes what is not there yet.
        family: of the encoder.
        trained: whether the weights are trained, and not drawn.
        settings: overrides of the recipe.
        add: adds to the folder with the data.
        changes: of the project.
    """
    base = tiny_base(once, family)
    key = json.dumps([family, trained, [*settings], changes], sort_keys=True)

    def make(folder: Path) -> None:
        path = write_project(folder, base, examples=24, **(FLOAT | changes))
        add(folder / "data")
        recipe = Recipe.load(path, settings)
        with (
            patch.dict(os.environ, LOWRES_STILTS_CACHE=str(once.root / "cache")),
            torch.random.fork_rng(devices=[]),
        ):
            if trained:
                run(recipe, folder / "run", display=Display(quiet=True))
            else:
                write_run(recipe, folder / "run")
            pack_run(folder / "run")

    folder = once(f"run-{zlib.crc32(key.encode()):08x}", make)
    return Recipe.load(folder / "recipe.yaml", settings), packages_of(folder / "run")


def packages_of(run_folder: Path) -> dict[str, Path]:
    """The packages of a finished run by phase, in the order of its phases."""
    return {path.parent.name: path for path in pack_run(run_folder)}
