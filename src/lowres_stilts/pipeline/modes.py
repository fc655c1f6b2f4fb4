"""Transfer modes: what the target phase does with the intermediate modules."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowres_stilts.plugins import Registry

if TYPE_CHECKING:
    from lowres_stilts.pipeline.transfer import TargetWork, Trained

TrainTarget = Callable[["TargetWork"], "Trained"]
"""Trains what the target predicts with; raises `TrainingError` and `RunError`."""


@dataclass(frozen=True)
class Mode:
    """A transfer mode: one function, and what the rest of a run must know before it is called."""

    train: TrainTarget
    """The target phase; it is not called for retrieval."""
    for_retrieval: bool = False
    """Whether it makes sense for a target that is not trained: the intermediate modules are active then."""
    apart: bool = False
    """Whether every intermediate task has a module of its own."""
    continues: bool = False
    """Whether the intermediate module itself is trained on, with its settings."""
    stands_apart: bool = False
    """Whether the target's module is trained without those of the intermediate phase below it."""
    trains_baseline: bool = False
    """Whether it trains the target alone on its way, which is the baseline then."""


def _later(name: str) -> TrainTarget:
    """A function of a module that imports torch: mistakes in a recipe should not wait for that."""

    def train(work: "TargetWork") -> "Trained":
        trained: Trained = getattr(importlib.import_module("lowres_stilts.pipeline.transfer"), name)(work)
        return trained

    return train


MODES: Registry[Mode] = Registry(
    "transfer_modes",
    {
        "stack": Mode(_later("stack_target"), for_retrieval=True),
        "continue": Mode(_later("continue_target"), continues=True, stands_apart=True),
        "fuse": Mode(_later("fuse_target"), apart=True),
        "merge": Mode(_later("merge_target"), apart=True, stands_apart=True, trains_baseline=True),
        "none": Mode(_later("stack_target"), for_retrieval=True),
    },
    Mode,
)
"""`none` has no intermediate modules to stand on."""
