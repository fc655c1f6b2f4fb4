"""Prediction files in XTREME's submission format."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lowres_stilts.errors import DataError
from lowres_stilts.storage import write_text
from lowres_stilts.tasks.task import FamilyName, Task


@dataclass(frozen=True)
class _Format:
    """How one prediction is written, and how a whole file is read."""

    write: Callable[[Any], str]
    read: Callable[[str], list[Any]]


def _read_tags(text: str) -> list[tuple[str, ...]]:
    return [tuple(block.split("\n")) for block in text.rstrip("\n").split("\n\n")]


_INDICES = _Format(lambda index: f"{index}\n", lambda text: [int(line) for line in text.splitlines()])
_FORMATS: Mapping[FamilyName, _Format] = MappingProxyType(
    {
        "classification": _Format(lambda label: f"{label}\n", lambda text: text.removesuffix("\n").split("\n")),
        "multiple_choice": _INDICES,
        "retrieval": _INDICES,
        "tagging": _Format(lambda tags: "".join(f"{tag}\n" for tag in tags) + "\n", _read_tags),
    }
)


def write_predictions(path: Path, task: Task, predictions: Sequence[Any]) -> None:
    """One label or index per line; for tagging a tag per line and a blank line after each sentence."""
    write_text(path, "".join(map(_FORMATS[task.family].write, predictions)))


def read_predictions(path: Path, task: Task, examples: int) -> list[Any]:
    """What `write_predictions` wrote.

    Raises:
        DataError: the file cannot be read or has another number of predictions.
    """
    try:
        predictions = _FORMATS[task.family].read(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as predictions of {task.name}: {error}") from error
    if len(predictions) != examples:
        raise DataError(f"{path}: {len(predictions)} predictions for {examples} examples")
    return predictions
