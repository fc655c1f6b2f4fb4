"""How adapters enter a graph: as optional inputs beside each linear layer, or not at all."""

from typing import Protocol

import numpy as np

from lowres_stilts.export.graph import Graph


class Sites(Protocol):
    """What is added to the output of a linear layer, and where the weights of heads come from."""

    def add(self, graph: Graph, name: str, x: str, y: str, *, inputs: int, outputs: int) -> str:
        """`y` `[tokens, outputs]` with an adapter's share in it, from the layer's input `x` `[tokens, inputs]`."""
        ...


class NoSites:
    """The bare encoder, or one with an adapter in its weights."""

    def add(self, graph: Graph, name: str, x: str, y: str, *, inputs: int, outputs: int) -> str:
        """Nothing."""
        return y


class OneAdapter:
    """A LoRA for the whole batch; of rank zero where a run gives none."""

    def add(self, graph: Graph, name: str, x: str, y: str, *, inputs: int, outputs: int) -> str:
        """`y + (x @ A) @ B`; Gemm adds to `y` in the same pass."""
        a, b = lora_inputs(graph, name, inputs, outputs)
        return graph.node("Gemm", graph.node("MatMul", x, a), b, y)


class AdapterPerRow:
    """A LoRA for each row of the batch: the inputs hold several, `adapter_index` `[batch]` says which."""

    def __init__(self, index: str, shape: str) -> None:
        """The value that holds the index, and `[batch, length]` as a value."""
        self._index = index
        self._shape = shape

    def add(self, graph: Graph, name: str, x: str, y: str, *, inputs: int, outputs: int) -> str:
        """`y` plus each row's own product."""
        both = lora_inputs(graph, name, inputs, outputs, "n")
        a, b = (graph.node("Gather", value, self._index) for value in both)
        rows = graph.node("Reshape", x, self._width(graph, inputs))
        update = graph.node("MatMul", graph.node("MatMul", rows, a), b)
        flat = graph.node("Reshape", update, graph.constant(f"flat.{outputs}", np.array([-1, outputs])))
        return graph.node("Add", y, flat)

    def _width(self, graph: Graph, width: int) -> str:
        return graph.node("Concat", self._shape, graph.constant(f"width.{width}", np.array([width])), axis=0)


def lora_inputs(graph: Graph, name: str, inputs: int, outputs: int, *several: str) -> tuple[str, str]:
    """A and B of a layer as optional inputs, `[inputs, rank]` and `[rank, outputs]`.

    Each layer's rank is a size of its own: a module may be on some layers only, and onnxruntime takes sizes of one
    name for equal.
    """
    one, rank = [1] * len(several), f"{name}.rank"
    dtype = np.float32 if several else np.float16
    return (
        graph.weight_input(f"{name}.lora_A", [*several, inputs, rank], [*one, inputs, 0], dtype),
        graph.weight_input(f"{name}.lora_B", [*several, rank, outputs], [*one, 0, outputs], dtype),
    )
