"""The record that describes a task. Adding a task means adding one of these to the registry."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from lowres_stilts.data.examples import Example

Split = Literal["train", "dev", "test"]
FamilyName = Literal["classification", "multiple_choice", "tagging", "retrieval"]
Reader = Callable[[Path, "Task"], Iterator[Example]]
"""Reads a file of the task strictly; raises `DataError` with file and line."""


@dataclass(frozen=True)
class Task:
    """One task: where its files are, how they read, and how it is scored."""

    name: str
    family: FamilyName
    summary: str
    languages: tuple[str, ...]
    """Languages of the test split, as they are spelled in file names."""
    metric: str
    """A key of `lowres_stilts.evaluation.metrics.METRICS`."""
    reader: Reader
    files: Mapping[Split, str] = field(default_factory=lambda: MappingProxyType({}))
    """Path templates below the data folder, with `{lang}` for the language."""
    labels: tuple[str, ...] = ()
    """Labels in the order of the head's outputs; empty where the head scores choices or sentences."""
    max_length: int = 128
    """Most tokens of one sequence, special tokens counted in."""
    licence: str = ""
    citation: str = ""
