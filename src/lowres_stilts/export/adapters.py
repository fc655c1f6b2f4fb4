"""An adapter package as inputs of the base graph, in onnxruntime's adapter format."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime

from lowres_stilts.export.heads import head_inputs
from lowres_stilts.export.products import Floats
from lowres_stilts.hub.verify import Package
from lowres_stilts.tasks.families import FAMILIES

VERSION = 1


def adapter_inputs(package: Package, task: str) -> dict[str, Floats]:
    """The module of a package and the head of one of its tasks, by input of the graph; scaling is in B."""
    found: dict[str, Floats] = {}
    for name, layer in package.layers.items():
        found[f"{name}.lora_A"] = layer.a.float().numpy().T
        found[f"{name}.lora_B"] = (layer.b.float() * layer.scaling).numpy().T
    return found | head_weights(package, task)


def head_weights(package: Package, task: str) -> dict[str, Floats]:
    """The head of one of a package's tasks, by input of the graph."""
    family = next(part.family for part in package.manifest.tasks if part.name == task)
    head = {name: tensor.float().numpy() for name, tensor in package.heads[task].items()}
    return head_inputs(head, kind=FAMILIES[family].head, mean=package.manifest.head == "mean")


def write_adapter(path: Path, inputs: Mapping[str, Floats]) -> None:
    """Writes `.onnx_adapter`, onnxruntime's own format, in float16."""
    values = {
        name: onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(value, np.float16))
        for name, value in inputs.items()
    }
    adapter = onnxruntime.AdapterFormat()
    adapter.set_adapter_version(VERSION)
    adapter.set_model_version(VERSION)
    adapter.set_parameters(values)  # it points into the values, which must live until they are written
    adapter.export_adapter(str(path))
