"""Tensors of a package: stored in bfloat16, read with care."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lowres_stilts.errors import PackageError

STORED = torch.bfloat16
LARGEST_TENSOR = 100_000_000
"""Numbers in one tensor."""


def write_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Writes a safetensors file in the type that packages store."""
    stored = {name: tensor.detach().cpu().to(STORED).contiguous() for name, tensor in tensors.items()}
    save_file(stored, path, metadata={"format": "pt"})


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file.

    Raises:
        PackageError: it is no safetensors file, or has a tensor that is too large or not all finite numbers.
    """
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - no iterator
                shape = file.get_slice(name).get_shape()
                if torch.Size(shape).numel() > LARGEST_TENSOR:
                    raise PackageError(f"{path}: tensor {name} is larger than any module's")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise PackageError(f"{path}: no valid safetensors file ({' '.join(str(error).split())})") from error
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or not torch.isfinite(tensor).all():
            raise PackageError(f"{path}: tensor {name} has values that are no finite numbers")
    return tensors
