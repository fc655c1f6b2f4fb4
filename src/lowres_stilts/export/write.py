"""Models that share one file of weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from onnx.external_data_helper import set_external_data

import onnx

ALIGNMENT = 64
"""Bytes of which a tensor's place is a multiple: a cache line."""
SMALLEST = 1024
"""Bytes of a tensor that is worth a place in the file of weights."""
LARGEST_FILE = 1_900_000_000
"""Bytes of weights that a model holds itself: protobuf ends at 2 GiB."""


def write_models(folder: Path, models: Mapping[str, onnx.ModelProto], weights: str) -> None:
    """Writes models into an existing folder; tensors of the same name and size are written once.

    Args:
        folder: where to.
        models: by file name; they are emptied.
        weights: name of the file of weights.
    """
    places: dict[tuple[str, int], int] = {}
    with (folder / weights).open("wb") as file:
        for model in models.values():
            for tensor in model.graph.initializer:
                _move(tensor, file, places, weights)
    for name, model in models.items():
        (folder / name).write_bytes(model.SerializeToString(deterministic=True))


def write_model(path: Path, model: onnx.ModelProto) -> None:
    """Writes a model into one file; the weights of one that is too large lie in `<file>_data` beside it."""
    weights = path.with_name(f"{path.name}_data")
    weights.unlink(missing_ok=True)
    if sum(len(tensor.raw_data) for tensor in model.graph.initializer) > LARGEST_FILE:
        write_models(path.parent, {path.name: model}, weights.name)
    else:
        path.write_bytes(model.SerializeToString(deterministic=True))


def _move(tensor: onnx.TensorProto, file: BinaryIO, places: dict[tuple[str, int], int], weights: str) -> None:
    size = len(tensor.raw_data)
    if size < SMALLEST:
        return
    key = tensor.name, size
    if key not in places:
        file.seek(-file.tell() % ALIGNMENT, 1)
        places[key] = file.tell()
        file.write(tensor.raw_data)
    set_external_data(tensor, weights, offset=places[key], length=size)
    tensor.ClearField("raw_data")
