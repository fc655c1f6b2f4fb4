"""An adapter package as inputs of the base graph, in onnxruntime's adapter format."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime

from lowres_stilts.export.heads import head_inputs
from lowres_stilts.export.products import Floats
from lowres_stilts.export.sources import Item
from lowres_stilts.tasks.families import FAMILIES

VERSION = 1


def adapter_inputs(item: Item) -> dict[str, Floats]:
    """The head, and the module if it is not in a graph of its own, by input of the graph; scaling is in B."""
    found: dict[str, Floats] = {}
    layers = {} if item.own_graph else item.package.layers
    for name, layer in layers.items():
        found[f"{name}.lora_A"] = layer.a.float().numpy().T
        found[f"{name}.lora_B"] = (layer.b.float() * layer.scaling).numpy().T
    return found | head_weights(item)


def head_weights(item: Item) -> dict[str, Floats]:
    """The head, by input of the graph."""
    head = {name: tensor.float().numpy() for name, tensor in item.package.heads[item.part.name].items()}
    mean = item.package.manifest.head == "mean"
    return head_inputs(head, kind=FAMILIES[item.part.family].head, mean=mean)


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
