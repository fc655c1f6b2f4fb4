"""Whether a package is whole, safe and what it says it is."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from lowres_stilts.errors import PackageError
from lowres_stilts.hub.checksums import verify_sums
from lowres_stilts.hub.layout import BARE, Layout, layout_of
from lowres_stilts.hub.manifest import Manifest, read_manifest
from lowres_stilts.hub.write import MAGNITUDE, PEFT_PREFIX, adapter_config
from lowres_stilts.modules.collapse import LoraLayer

LARGEST_TENSOR = 100_000_000
"""Numbers in one tensor."""


@dataclass(frozen=True)
class Package:
    """A package whose content was checked."""

    folder: Path
    manifest: Manifest
    layout: Layout
    layers: dict[str, LoraLayer]
    """By layer of the encoder."""
    heads: dict[str, dict[str, Tensor]]
    """Weights of the head by task, in our own names."""


def open_package(folder: Path) -> Package:
    """Checks everything that can be checked without the base model, and reads the weights.

    Raises:
        PackageError: the folder is damaged, unsafe, or its files contradict each other.
    """
    if folder.is_symlink() or not folder.is_dir():
        raise PackageError(f"{folder}: no such folder")
    verify_sums(folder)
    manifest = read_manifest(folder)
    layout = _layout(manifest)
    tensors = _read(folder / "adapter_model.safetensors")
    layers = _layers(folder, manifest, layout, tensors)
    _check_config(folder, manifest, layout, list(layers))
    heads = _heads(folder, manifest, layout, tensors)
    return Package(folder, manifest, layout, layers, heads)


def _layout(manifest: Manifest) -> Layout:
    if len(manifest.tasks) > 1 or manifest.auto_class == "AutoModel":
        return BARE
    (task,) = manifest.tasks
    return layout_of(manifest.base.model_type, task.family, mean_head=manifest.head == "mean")  # type: ignore[arg-type]


def _read(path: Path) -> dict[str, Tensor]:
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


def _layers(folder: Path, manifest: Manifest, layout: Layout, tensors: dict[str, Tensor]) -> dict[str, LoraLayer]:
    prefix = f"{PEFT_PREFIX}{layout.encoder}encoder."
    sides: dict[str, dict[str, Tensor]] = {}
    for key in [key for key in tensors if key.startswith(prefix)]:
        name, _, side = key.removesuffix(".weight").rpartition(".")
        if side not in sides_of(manifest) or key.endswith(".weight") is (side == MAGNITUDE):
            raise PackageError(f"{folder}: unknown tensor {key}")
        layer = name.removeprefix(f"{PEFT_PREFIX}{layout.encoder}")
        sides.setdefault(layer, {})[side] = tensors.pop(key)
    if not sides:
        raise PackageError(f"{folder}: no LoRA in adapter_model.safetensors")
    for layer, pair in sides.items():
        shapes = {side: tuple(tensor.shape) for side, tensor in pair.items()}
        whole = set(shapes) == sides_of(manifest) and len(shapes["lora_A"]) == len(shapes["lora_B"]) == 2
        whole = whole and shapes.get(MAGNITUDE, shapes["lora_B"][:1]) == shapes["lora_B"][:1]
        if not whole or shapes["lora_A"][0] != manifest.rank or shapes["lora_B"][1] != manifest.rank:
            raise PackageError(f"{folder}: layer {layer} is no LoRA of rank {manifest.rank}: {shapes}")
    return {
        layer: LoraLayer(pair["lora_A"], pair["lora_B"], 1.0, pair.get(MAGNITUDE)) for layer, pair in sides.items()
    }


def sides_of(manifest: Manifest) -> set[str]:
    """The tensors of each layer."""
    return {"lora_A", "lora_B"} | ({MAGNITUDE} if manifest.dora else set())


def _check_config(folder: Path, manifest: Manifest, layout: Layout, layers: list[str]) -> None:
    """PEFT's configuration must be the one that this package would be written with."""
    path = folder / "adapter_config.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise PackageError(f"{path}: not valid JSON") from error
    expected = json.loads(json.dumps(adapter_config(manifest, layout, layers)))
    if not isinstance(found, dict):
        raise PackageError(f"{path}: expected an object")
    ignored = {"peft_version"}
    for key in sorted(({*found} | {*expected}) - ignored):
        if found.get(key) != expected.get(key):
            raise PackageError(
                f"{path}: {key} is {found.get(key)!r}, but the manifest and the tensors want {expected.get(key)!r}"
            )


def _heads(
    folder: Path, manifest: Manifest, layout: Layout, rest: dict[str, Tensor]
) -> dict[str, dict[str, Tensor]]:
    if layout.complete:
        names = {f"{PEFT_PREFIX}{theirs}": ours for ours, theirs in layout.head.items()}
        heads = {manifest.tasks[0].name: {names[key]: rest.pop(key) for key in list(rest) if key in names}}
    else:
        heads = _own_heads(folder, manifest)
    if rest:
        raise PackageError(f"{folder}: unknown tensor {next(iter(rest))} in adapter_model.safetensors")
    for task in manifest.tasks:
        head = heads[task.name]
        outputs = head.get("projection.bias")
        wanted = {"qa": 2, "multiple_choice": 1}.get(task.family, len(task.labels))
        if task.family != "mlm" and (outputs is None or outputs.shape != (wanted,)):
            raise PackageError(f"{folder}: the head of {task.name} has not {wanted} outputs")
    return heads


def _own_heads(folder: Path, manifest: Manifest) -> dict[str, dict[str, Tensor]]:
    heads: dict[str, dict[str, Tensor]] = {task.name: {} for task in manifest.tasks}
    for key, tensor in _read(folder / "head.safetensors").items():
        task = next((name for name in heads if key.startswith(f"{name}.")), None)
        if task is None:
            raise PackageError(f"{folder / 'head.safetensors'}: unknown tensor {key}")
        heads[task][key.removeprefix(f"{task}.")] = tensor
    return heads
