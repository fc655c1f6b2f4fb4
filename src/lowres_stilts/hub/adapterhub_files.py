"""Modules in AdapterHub's format, and heads where it has equal ones."""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from lowres_stilts.hub.adapterhub_config import AUTO_CLASS, head_config, module_config
from lowres_stilts.hub.adapterhub_weights import head_names
from lowres_stilts.hub.composition import Composition, FusionModule, Module
from lowres_stilts.hub.configs import write_config
from lowres_stilts.hub.heads import HEAD, write_heads
from lowres_stilts.hub.manifest import Manifest
from lowres_stilts.hub.tensors import write_tensors

CONFIG, WEIGHTS = "adapter_config.json", "adapter.safetensors"
FUSION_CONFIG, FUSION_WEIGHTS = "adapter_fusion_config.json", "model_adapter_fusion.safetensors"
HEAD_CONFIG, HEAD_WEIGHTS = "head_config.json", "model_head.safetensors"


def config_of(module: Module | FusionModule) -> str:
    """The name of its configuration file."""
    return FUSION_CONFIG if isinstance(module, FusionModule) else CONFIG


def weights_of(module: Module | FusionModule) -> str:
    """The name of its weights' file."""
    return FUSION_WEIGHTS if isinstance(module, FusionModule) else WEIGHTS


def adapterhub_names(manifest: Manifest, composition: Composition) -> set[str]:
    """The files of all modules and of the heads."""
    names = {
        f"{place}/{file}".removeprefix("/")
        for place, module in composition.places.items()
        for file in (config_of(module), weights_of(module))
    }
    if manifest.auto_class == AUTO_CLASS:
        return names | {HEAD_CONFIG, HEAD_WEIGHTS}
    return names if manifest.kind == "language" else names | {HEAD}


def store_weights(source: Path, target: Path, prefix: str) -> None:
    """Copies the weights of a module, in the type that packages store.

    Args:
        source: weights over the bare encoder.
        target: where to; its folder is made.
        prefix: put before their names.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    write_tensors({f"{prefix}{name}": tensor for name, tensor in load_file(source).items()}, target)


def write_adapterhub(
    folder: Path, manifest: Manifest, composition: Composition, heads: Mapping[str, Mapping[str, Tensor]]
) -> None:
    """Writes configurations and heads beside weights that are there already.

    Args:
        folder: of the package.
        manifest: what `stilts.json` says.
        composition: its modules.
        heads: weights of the head of each task, in our own names; none for a language adapter.
    """
    for place, module in composition.places.items():
        write_config(module_config(manifest, composition, module), folder / place / config_of(module))
    if manifest.auto_class == AUTO_CLASS:
        (head,) = heads.values()
        names = head_names(manifest, composition)
        # AdapterHub lists the labels in the order of this file.
        write_config(head_config(manifest, composition), folder / HEAD_CONFIG, in_order=True)
        write_tensors({names[name]: tensor for name, tensor in head.items()}, folder / HEAD_WEIGHTS)
    elif manifest.kind != "language":
        write_heads(heads, folder)
