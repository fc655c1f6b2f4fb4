"""Whether a package in AdapterHub's format holds what its manifest says."""

from pathlib import Path

from torch import Tensor

from lowres_stilts.errors import PackageError
from lowres_stilts.hub.adapterhub_config import AUTO_CLASS, auto_class_of, head_config, module_config
from lowres_stilts.hub.adapterhub_files import HEAD_CONFIG, HEAD_WEIGHTS, config_of, weights_of
from lowres_stilts.hub.adapterhub_weights import Shapes, head_names, module_shapes
from lowres_stilts.hub.composition import Composition, FusionModule, Module
from lowres_stilts.hub.configs import check_config
from lowres_stilts.hub.heads import HEAD, check_outputs, read_heads
from lowres_stilts.hub.manifest import Manifest, TaskPart
from lowres_stilts.hub.tensors import read_tensors
from lowres_stilts.modules.adapterhub import can_be_named
from lowres_stilts.runtime.manifest import outputs_of
from lowres_stilts.sums import sha256_of
from lowres_stilts.tasks.families import FAMILIES


def read_adapterhub(folder: Path, manifest: Manifest, composition: Composition) -> dict[str, dict[str, Tensor]]:
    """The weights of the heads by task, in our own names; modules are loaded from their folders.

    Raises:
        PackageError: tensors or configurations are not those of such a package.
    """
    if manifest.auto_class != (wanted := auto_class_of(manifest)):
        raise PackageError(f"{folder}: auto_class is {manifest.auto_class}, but tasks and head want {wanted}")
    names = [part.phase for part in manifest.stack]
    if names[: len(composition.ground)] != composition.ground:
        raise PackageError(
            f"{folder}: made of {', '.join(names) or 'nothing'} in this order, but stacked on "
            f"{', '.join(composition.ground)}"
        )
    for place, module in composition.places.items():
        _check_module(folder / place, manifest, composition, module)
    if manifest.kind == "language":
        return {}
    heads = (
        _head(folder, manifest, composition) if manifest.auto_class == AUTO_CLASS else read_heads(folder, manifest)
    )
    check_outputs(folder, manifest, heads)
    for task in manifest.tasks:
        if task.family != "mlm":
            _check_shapes(folder / HEAD, heads[task.name], _head_shapes(manifest, task, composition.hidden_size))
    return heads


def _check_module(
    folder: Path, manifest: Manifest, composition: Composition, module: Module | FusionModule
) -> None:
    if not can_be_named(module.name):
        raise PackageError(f"{folder}: a module cannot be called {module.name!r} in AdapterHub")
    if isinstance(module, Module) and module.reduction > composition.hidden_size:
        raise PackageError(f"{folder}: a reduction of {module.reduction} leaves nothing of the hidden states")
    weights = folder / weights_of(module)
    if (found := sha256_of(weights)) != module.sha256:
        raise PackageError(
            f"{weights}: has hash {found[:12]}, but the manifest wants {module.sha256[:12]} in this place"
        )
    check_config(folder / config_of(module), module_config(manifest, composition, module))
    _check_shapes(weights, read_tensors(weights), module_shapes(manifest, composition, module))


def _head(folder: Path, manifest: Manifest, composition: Composition) -> dict[str, dict[str, Tensor]]:
    check_config(folder / HEAD_CONFIG, head_config(manifest, composition))
    (task,) = manifest.tasks
    names = {theirs: ours for ours, theirs in head_names(manifest, composition).items()}
    tensors = read_tensors(folder / HEAD_WEIGHTS)
    if unknown := sorted(tensors.keys() - names.keys()):
        raise PackageError(f"{folder / HEAD_WEIGHTS}: unknown tensor {unknown[0]}")
    return {task.name: {names[key]: tensor for key, tensor in tensors.items()}}


def _head_shapes(manifest: Manifest, task: TaskPart, hidden: int) -> Shapes:
    outputs = outputs_of(task.family, task.labels)
    shapes: Shapes = {"projection.weight": (outputs, hidden), "projection.bias": (outputs,)}
    if FAMILIES[task.family].head == "sequence" and manifest.head == "library":
        shapes |= {"dense.weight": (hidden, hidden), "dense.bias": (hidden,)}
    return shapes


def _check_shapes(path: Path, tensors: dict[str, Tensor], expected: Shapes) -> None:
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name in sorted(found.keys() | expected.keys()):
        if found.get(name) != expected.get(name):
            raise PackageError(
                f"{path}: tensor {name} has shape {found.get(name)}, but the manifest wants {expected.get(name)}"
            )
