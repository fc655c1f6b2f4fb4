"""Heads that no class of a plain library has: `head.safetensors`, in our own names."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from lowres_stilts.errors import PackageError
from lowres_stilts.hub.manifest import Manifest
from lowres_stilts.hub.tensors import read_tensors, write_tensors
from lowres_stilts.runtime.manifest import outputs_of

HEAD = "head.safetensors"


def write_heads(heads: Mapping[str, Mapping[str, Tensor]], folder: Path) -> None:
    """Writes the heads of all tasks, each weight as `task.name`."""
    flat = {f"{task}.{name}": tensor for task, head in heads.items() for name, tensor in head.items()}
    write_tensors(flat, folder / HEAD)


def read_heads(folder: Path, manifest: Manifest) -> dict[str, dict[str, Tensor]]:
    """The weights of the heads by task.

    Raises:
        PackageError: a tensor is damaged or of no task.
    """
    heads: dict[str, dict[str, Tensor]] = {task.name: {} for task in manifest.tasks}
    for key, tensor in read_tensors(folder / HEAD).items():
        task = _task_of(key, heads)
        if task is None:
            raise PackageError(f"{folder / HEAD}: unknown tensor {key}")
        heads[task][key.removeprefix(f"{task}.")] = tensor
    return heads


def trained_heads(module: Path, tasks: list[str]) -> dict[str, dict[str, Tensor]]:
    """The weights of a phase's heads, by task."""
    heads: dict[str, dict[str, Tensor]] = {task: {} for task in tasks}
    for key, value in load_file(module / HEAD).items():
        if (task := _task_of(key, tasks)) is not None:
            heads[task][key.removeprefix(f"{task}.")] = value
    return heads


def _task_of(key: str, tasks: Iterable[str]) -> str | None:
    """The task of a weight, by the longest name that leaves one of a layer, as `mood.sw` begins like `mood`."""
    fitting = [task for task in tasks if key.startswith(f"{task}.")]
    return max(fitting, key=lambda task: ("." in key.removeprefix(f"{task}."), len(task)), default=None)


def check_outputs(folder: Path, manifest: Manifest, heads: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Whether each head has as many outputs as its task.

    Raises:
        PackageError: one has not.
    """
    for task in manifest.tasks:
        outputs = heads[task.name].get("projection.bias")
        wanted = outputs_of(task.family, task.labels)
        if task.family != "mlm" and (outputs is None or outputs.shape != (wanted,)):
            raise PackageError(f"{folder}: the head of {task.name} has not {wanted} outputs")
