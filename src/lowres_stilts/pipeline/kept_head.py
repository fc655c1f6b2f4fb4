"""The head that a target phase begins with, where the recipe keeps that of an intermediate phase or package."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lowres_stilts.errors import RecipeError
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.tasks.task import Task

MOST_LABELS = 6
"""That a message names."""


@dataclass(frozen=True)
class TrainedHead:
    """A head of a phase."""

    phase: str
    task: str
    family: str
    labels: tuple[str, ...]
    layout: str
    """Of a head for whole sequences."""


def heads_of(summary: Mapping[str, Any]) -> list[TrainedHead]:
    """The heads of a phase, by its `phase.json`."""
    return [
        TrainedHead(summary["phase"], name, told["family"], tuple(told["labels"]), summary["head"])
        for name, told in summary["tasks"].items()
    ]


def head_to_keep(target: Task, layout: str, heads: Sequence[TrainedHead]) -> TrainedHead:
    """The head that fits a target: that of the task itself, or else the only one for the same labels.

    Args:
        target: what it is for.
        layout: of heads in this run.
        heads: what there is.

    Raises:
        RecipeError: none fits, or several do.
    """
    by_layout = FAMILIES[target.family].head == "sequence"
    fitting = [
        head
        for head in heads
        if (head.family, head.labels) == (target.family, target.labels)
        and (not by_layout or head.layout == layout)
    ]
    own = [head for head in fitting if head.task == target.name]
    if own or len(fitting) == 1:
        return (own or fitting)[0]
    if fitting:
        names = ", ".join(head.task for head in fitting)
        raise RecipeError(f"target.head keep: the heads of {names} all fit {target.name}; set head: new")
    wanted = _told(target.family, target.labels, layout if by_layout else "")
    there = "; ".join(f"{head.task} has {_told(head.family, head.labels, head.layout)}" for head in heads)
    raise RecipeError(
        f"target.head keep: {target.name} needs a head for {wanted}, but {there or 'there is none'}; set head: new"
    )


def _told(family: str, labels: Sequence[str], layout: str) -> str:
    more = ", ..." if len(labels) > MOST_LABELS else ""
    of = f" ({', '.join(labels[:MOST_LABELS])}{more})" if labels else ""
    return (
        f"{family}{of}{f', layout {layout}' if layout and family in {'classification', 'multiple_choice'} else ''}"
    )
