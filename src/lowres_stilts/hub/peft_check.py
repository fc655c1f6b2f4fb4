"""Whether a package in PEFT's format holds what its manifest says."""

from pathlib import Path

from torch import Tensor

from lowres_stilts.errors import PackageError
from lowres_stilts.hub.configs import check_config
from lowres_stilts.hub.heads import check_outputs, read_heads
from lowres_stilts.hub.manifest import Manifest
from lowres_stilts.hub.peft_files import CONFIG, MAGNITUDE, PREFIX, WEIGHTS, peft_config, peft_layout
from lowres_stilts.hub.tensors import read_tensors
from lowres_stilts.modules.collapse import LoraLayer

Heads = dict[str, dict[str, Tensor]]


def read_peft(folder: Path, manifest: Manifest) -> tuple[dict[str, LoraLayer], Heads]:
    """The LoRA by layer of the encoder, and the weights of its heads by task, in our own names.

    Raises:
        PackageError: tensors or configuration are not those of such a package.
    """
    tensors = read_tensors(folder / WEIGHTS)
    layers = _layers(folder, manifest, tensors)
    check_config(folder / CONFIG, peft_config(manifest, list(layers)), ignored={"peft_version"})
    heads = _heads(folder, manifest, tensors)
    check_outputs(folder, manifest, heads)
    return layers, heads


def _layers(folder: Path, manifest: Manifest, tensors: dict[str, Tensor]) -> dict[str, LoraLayer]:
    """Takes the LoRA's tensors out."""
    before = f"{PREFIX}{peft_layout(manifest).encoder}"
    sides: dict[str, dict[str, Tensor]] = {}
    for key in [key for key in tensors if key.startswith(f"{before}encoder.")]:
        name, _, side = key.removesuffix(".weight").rpartition(".")
        if side not in _sides(manifest) or key.endswith(".weight") is (side == MAGNITUDE):
            raise PackageError(f"{folder}: unknown tensor {key}")
        sides.setdefault(name.removeprefix(before), {})[side] = tensors.pop(key)
    if not sides:
        raise PackageError(f"{folder}: no LoRA in {WEIGHTS}")
    for layer, pair in sides.items():
        _check_shapes(folder, manifest, layer, pair)
    return {
        layer: LoraLayer(pair["lora_A"], pair["lora_B"], 1.0, pair.get(MAGNITUDE)) for layer, pair in sides.items()
    }


def _check_shapes(folder: Path, manifest: Manifest, layer: str, pair: dict[str, Tensor]) -> None:
    shapes = {side: tuple(tensor.shape) for side, tensor in pair.items()}
    whole = set(shapes) == _sides(manifest) and len(shapes["lora_A"]) == len(shapes["lora_B"]) == 2
    whole = whole and shapes.get(MAGNITUDE, shapes["lora_B"][:1]) == shapes["lora_B"][:1]
    if not whole or shapes["lora_A"][0] != manifest.rank or shapes["lora_B"][1] != manifest.rank:
        raise PackageError(f"{folder}: layer {layer} is no LoRA of rank {manifest.rank}: {shapes}")


def _sides(manifest: Manifest) -> set[str]:
    """The tensors of each layer."""
    return {"lora_A", "lora_B"} | ({MAGNITUDE} if manifest.dora else set())


def _heads(folder: Path, manifest: Manifest, rest: dict[str, Tensor]) -> Heads:
    layout = peft_layout(manifest)
    if layout.complete:
        names = {f"{PREFIX}{theirs}": ours for ours, theirs in layout.head.items()}
        heads = {manifest.tasks[0].name: {names[key]: rest.pop(key) for key in list(rest) if key in names}}
    else:
        heads = read_heads(folder, manifest)
    if rest:
        raise PackageError(f"{folder}: unknown tensor {next(iter(rest))} in {WEIGHTS}")
    return heads
