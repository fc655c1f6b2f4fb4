"""Models that share one file of weights."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import onnx
from onnx.external_data_helper import set_external_data

ALIGNMENT = 64
"""Bytes of which a tensor's place is a multiple: a cache line."""
SMALLEST = 1024
"""Bytes of a tensor that is worth a place in the file of weights."""
LARGEST_FILE = 1_900_000_000
"""Bytes of weights that a model holds itself: protobuf ends at 2 GiB."""


def write_models(folder: Path, models: Iterable[tuple[str, onnx.ModelProto]], weights: str) -> None:
    """Writes models into an existing folder; tensors of the same bytes are written once.

    Args:
        folder: where to.
        models: names of files, and models, which are emptied.
        weights: name of the file of weights.
    """
    places: dict[bytes, int] = {}
    with (folder / weights).open("wb") as file:
        for name, model in models:
            for tensor in model.graph.initializer:
                _move(tensor, file, places, weights)
            (folder / name).write_bytes(model.SerializeToString(deterministic=True))


def write_model(path: Path, model: onnx.ModelProto) -> None:
    """Writes a model into one file; the weights of one that is too large lie in `<file>_data` beside it."""
    weights = path.with_name(f"{path.name}_data")
    weights.unlink(missing_ok=True)
    if sum(len(tensor.raw_data) for tensor in model.graph.initializer) > LARGEST_FILE:
        write_models(path.parent, [(path.name, model)], weights.name)
    else:
        path.write_bytes(model.SerializeToString(deterministic=True))


def _move(tensor: onnx.TensorProto, file: BinaryIO, places: dict[bytes, int], weights: str) -> None:
    size = len(tensor.raw_data)
    if size < SMALLEST:
        return
    key = hashlib.sha256(tensor.raw_data).digest()
    if key not in places:
        file.seek(-file.tell() % ALIGNMENT, 1)
        places[key] = file.tell()
        file.write(tensor.raw_data)
    set_external_data(tensor, weights, offset=places[key], length=size)
    tensor.ClearField("raw_data")
