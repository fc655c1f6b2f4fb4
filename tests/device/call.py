"""Calls of torch, and the tensors in their arguments."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

CONTAINERS = (list, tuple, type({}.values()))


@dataclass(frozen=True, slots=True)
class Call:
    """A call of torch that makes tensors: where it says, or else where those are that it was given."""

    device: str | None
    args: Any


NO_CALL = Call(None, ())


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors in nested lists and dictionaries."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, CONTAINERS):
        for part in value:
            if isinstance(part, Tensor):
                yield part
            elif isinstance(part, CONTAINERS):
                yield from tensors_in(part)
    elif isinstance(value, dict):
        yield from tensors_in(value.values())
