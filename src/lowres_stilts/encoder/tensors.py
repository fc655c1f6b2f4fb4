"""The tensors of a checkpoint, read a few rows at a time with plain reads: nothing of the file stays in memory."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
"""Of the weights of an encoder, by their names in safetensors."""
ELEMENTS_AT_ONCE = 1 << 20
BLOCK = 64
"""Rows are read by a multiple of this, so that pieces end where NF4's blocks do."""


class Source(Protocol):
    """A tensor that has not been read yet."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole tensor."""

    def rows(self, start: int, end: int) -> Tensor:
        """The rows from `start` to before `end`, as they are stored."""


@dataclass(frozen=True)
class _Stored:
    """A tensor in a safetensors file."""

    path: Path
    shape: tuple[int, ...]
    dtype: torch.dtype
    offset: int
    """Bytes from the start of the file."""

    def rows(self, start: int, end: int) -> Tensor:
        width = prod(self.shape[1:])
        found = torch.empty((end - start) * width, dtype=self.dtype)
        with self.path.open("rb", buffering=0) as handle:
            handle.seek(self.offset + start * width * self.dtype.itemsize)
            if handle.readinto(found.view(torch.uint8).numpy().data) != found.nbytes:
                raise ValueError(f"{self.path} ends too early")
        return found.view(end - start, *self.shape[1:])


@dataclass(frozen=True)
class _Mapped:
    """A tensor of a pickled checkpoint, mapped into memory."""

    tensor: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.tensor.shape)

    def rows(self, start: int, end: int) -> Tensor:
        return self.tensor[start:end]


def stored_tensors(path: Path) -> dict[str, Source]:
    """The tensors of a safetensors file by name; none of them is read.

    Format: https://github.com/huggingface/safetensors, "Format".

    Raises:
        ValueError: the header is damaged.
    """
    with path.open("rb") as handle:
        size = int.from_bytes(handle.read(8), "little")
        if size > path.stat().st_size:
            raise ValueError(f"{path} is no safetensors file")
        header: dict[str, Any] = json.loads(handle.read(size))
    return {
        name: _Stored(path, tuple(told["shape"]), DTYPES[told["dtype"]], 8 + size + told["data_offsets"][0])
        for name, told in header.items()
        if name != "__metadata__" and told["dtype"] in DTYPES
    }


def pickled_tensors(path: Path) -> dict[str, Source]:
    """The tensors of a `.bin` file by name, unpickled with nothing but weights allowed, and mapped."""
    found: Mapping[str, Tensor] = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    return {name: _Mapped(tensor) for name, tensor in found.items()}


def pieces(source: Source, at_once: int = ELEMENTS_AT_ONCE) -> Iterator[Tensor]:
    """The tensor from its first row to its last, about a million values at a time."""
    rows, width = source.shape[0], max(1, prod(source.shape[1:]))
    step = max(1, at_once // width // BLOCK) * BLOCK
    for start in range(0, rows, step):
        yield source.rows(start, min(start + step, rows))
