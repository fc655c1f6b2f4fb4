"""Adapters in onnxruntime's format, one at a time or several stacked."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from lowres_stilts.errors import BundleError
from lowres_stilts.runtime.manifest import AdapterPart
from lowres_stilts.sums import sha256_of

LARGEST = 500_000_000
"""Bytes of an adapter's file."""
VERSION_DIGITS = 12
Inputs = Mapping[str, Sequence[int | str]]
"""The optional inputs of a graph: sizes by name; words stand for sizes that an adapter chooses."""


@dataclass(frozen=True, eq=False)
class Adapter:
    """What a run needs to use an adapter."""

    part: AdapterPart
    sha256: str
    """Of its file."""
    own: onnxruntime.InferenceSession | None
    """Over its own graph, where it has one."""
    active: onnxruntime.RunOptions
    """Options of a run in which it is active."""
    weights: dict[str, NDArray[np.float16]]
    """By input of the graph; they lie in the mapped file."""
    _kept: tuple[object, ...]
    """What the options and the weights point into."""

    @cached_property
    def version(self) -> str:
        """The start of a SHA-256 of all that decides its answers: its file, and what the manifest says of it."""
        content = f"{self.sha256}\n{self.part.model_dump_json(exclude_unset=True)}"
        return hashlib.sha256(content.encode()).hexdigest()[:VERSION_DIGITS]


def load_adapter(
    path: Path, part: AdapterPart, inputs: Inputs, own: onnxruntime.InferenceSession | None = None
) -> Adapter:
    """Reads an adapter and checks it against its graph's inputs.

    Args:
        path: its file.
        part: what the manifest says of it.
        inputs: of the base's graph, or of its own.
        own: over its own graph, where it has one.

    Raises:
        BundleError: the file is damaged, or of an adapter for another graph.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise BundleError(f"{path}: larger than {LARGEST // 10**6} MB, which no adapter is")
        sha256 = sha256_of(path)
        file = onnxruntime.AdapterFormat.read_adapter(str(path))
        weights = {name: value.numpy() for name, value in file.get_parameters().items()}
        lora = onnxruntime.LoraAdapter()
        lora.Load(str(path))
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        raise BundleError(f"{path}: no adapter of onnxruntime's: {' '.join(str(error).split())[:300]}") from error
    for name, value in weights.items():
        _check(path, name, value, inputs)
    options = onnxruntime.RunOptions()
    options.add_active_adapter(lora)
    return Adapter(part, sha256, own, options, weights, (file, lora))


def stack_shapes(adapters: Sequence[Adapter], inputs: Inputs, hidden: int) -> dict[str, tuple[int, ...]]:
    """The shapes of what `stacked` makes, by input: the largest adapter decides for all of them.

    Args:
        adapters: in their order.
        inputs: of the graph.
        hidden: width of the hidden states, which a sequence head takes even where no adapter has one.
    """
    least = {"features": hidden}
    found = {}
    for name, sizes in inputs.items():
        several = [adapter.weights.get(name) for adapter in adapters]
        shape = (
            size
            if isinstance(size, int)
            else max(least.get(size, 0), *(_size(value, axis) for value in several), 0)
            for axis, size in enumerate(sizes)
        )
        found[name] = (1 + len(several), *shape)
    return found


def stack_bytes(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """The memory that a stack of these shapes takes."""
    return sum(4 * math.prod(shape) for shape in shapes.values())


def stacked(adapters: Sequence[Adapter], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, onnxruntime.OrtValue]:
    """The weights of several adapters, one after the other, the first place being no adapter at all.

    Each is `[1 + adapters, ...]`; what an adapter lacks in rank, labels or layers is zero.

    Args:
        adapters: in their order.
        shapes: as `stack_shapes` says.
    """
    found = {}
    for name, shape in shapes.items():
        bank = np.zeros(shape, np.float32)
        for place, adapter in enumerate(adapters, start=1):
            value = adapter.weights.get(name)
            if value is not None:
                corner: tuple[int | slice, ...] = (place, *map(slice, value.shape))
                bank[corner] = value
        found[name] = onnxruntime.OrtValue.ortvalue_from_numpy(bank)
    return found


def _size(value: NDArray[np.float16] | None, axis: int) -> int:
    return 0 if value is None else value.shape[axis]


def _check(path: Path, name: str, value: NDArray[np.float16], inputs: Inputs) -> None:
    sizes = inputs.get(name)
    if sizes is None:
        raise BundleError(
            f"{path}: {name[:100]!r} is no input of this bundle's graph; the adapter is for another base"
        )
    fits = value.ndim == len(sizes) and all(
        isinstance(size, str) or size == own for size, own in zip(sizes, value.shape, strict=True)
    )
    if value.dtype != np.float16 or not fits:
        raise BundleError(f"{path}: {name} is {value.dtype} {value.shape}, but the graph takes float16 {sizes}")
    if not np.isfinite(value).all():
        raise BundleError(f"{path}: {name} has values that are no finite numbers; get the adapter anew")
