"""Matrix products with frozen weights, in float32 or int8."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lowres_stilts.export.graph import CONTRIB, Graph

Floats = NDArray[np.float32]
INT8_MAX = 127


class Products(Protocol):
    """Adds `x @ weight.T + bias` and rows of an embedding to a graph."""

    def linear(self, graph: Graph, name: str, x: str, weight: Floats, bias: Floats) -> str:
        """The product of `x` `[tokens, in]` with a weight `[out, in]`."""
        ...

    def rows(self, graph: Graph, name: str, weight: Floats, ids: str) -> str:
        """The rows of a weight `[rows, width]` that ids `[batch, length]` name."""
        ...


@dataclass(frozen=True)
class FloatProducts:
    """As torch computes them in float32."""

    def linear(self, graph: Graph, name: str, x: str, weight: Floats, bias: Floats) -> str:
        """MatMul and Add."""
        product = graph.node("MatMul", x, graph.constant(f"{name}.weight", weight.T))
        return graph.node("Add", product, graph.constant(f"{name}.bias", bias))

    def rows(self, graph: Graph, name: str, weight: Floats, ids: str) -> str:
        """Gather."""
        return graph.node("Gather", graph.constant(f"{name}.weight", weight), ids)


@dataclass(frozen=True)
class Int8Products:
    """Weights in int8 with a scale for each output, activations quantized as they come.

    The scale of an activation is one for the whole tensor (onnxruntime's DynamicQuantizeLinear). Embeddings
    have a scale for each row, as bitsandbytes' have, so that these keep their values.
    """

    unsigned: bool = False
    """uint8 weights: for CPUs without VNNI, where int8 ones may overflow."""
    floats: frozenset[str] = frozenset()
    """Layers that stay in float32."""
    _quantized: dict[str, list[str]] = field(default_factory=dict)

    def linear(self, graph: Graph, name: str, x: str, weight: Floats, bias: Floats) -> str:
        """MatMulIntegerToFloat; products of the same `x` share its quantization."""
        if name in self.floats:
            return FloatProducts().linear(graph, name, x, weight, bias)
        if x not in self._quantized:
            self._quantized[x] = graph.nodes("DynamicQuantizeLinear", x, count=3)
        values, scale, zero = self._quantized[x]
        integers, scales = quantize_rows(weight)
        zeros = np.zeros(len(scales), np.int8)
        if self.unsigned:
            integers, zeros = (array.view(np.uint8) ^ 128 for array in (integers, zeros))
        return graph.node(
            "MatMulIntegerToFloat",
            values,
            graph.constant(f"{name}.weight_int8", integers.T),
            scale,
            graph.constant(f"{name}.scales", scales),
            zero,
            graph.constant(f"{name}.zeros", zeros),
            graph.constant(f"{name}.bias", bias),
            domain=CONTRIB,
        )

    def rows(self, graph: Graph, name: str, weight: Floats, ids: str) -> str:
        """Gather of int8 rows and of their scales."""
        integers, scales = quantize_rows(weight)
        chosen = graph.node("Gather", graph.constant(f"{name}.weight_int8", integers), ids)
        scale = graph.node("Gather", graph.constant(f"{name}.scales", scales[:, None]), ids)
        return graph.node("Mul", graph.node("CastLike", chosen, scale), scale)


def quantize_rows(weight: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Symmetric int8: integers `[rows, width]` and the scale of each row."""
    largest = np.abs(weight).max(axis=1)
    scales = (np.where(largest > 0, largest, 1) / INT8_MAX).astype(np.float32)
    return np.rint(weight / scales[:, None]).astype(np.int8), scales
