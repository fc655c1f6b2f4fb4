"""Matrix products with frozen weights, in float32 or int8."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lowres_stilts.export.graph import CONTRIB, Graph

Floats = NDArray[np.float32]
Range = tuple[float, float]
INT8_MAX, UINT8_MAX = 127, 255
INT8_ACTIVATIONS = 4
"""onnxruntime's level of accuracy at which MatMulNBits multiplies in int8."""
SMALLEST = 1e-30
"""A row whose values are all smaller counts as zero."""
EPSILON = 1e-6
"""The least range of a layer's input."""


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
    """Weights in int8 with a scale for each output, activations quantized as they come or by measured ranges.

    The scale of an activation is one for the whole tensor (onnxruntime's DynamicQuantizeLinear). Embeddings
    have a scale for each row, as bitsandbytes' have, so that these keep their values.
    """

    unsigned: bool = False
    """uint8 weights: for CPUs without VNNI, where int8 ones may overflow."""
    ranges: Mapping[str, Range] = field(default_factory=dict)
    """The least and largest value of each layer's input, where they were measured before: static quantization."""
    _quantized: dict[str, list[str]] = field(default_factory=dict)

    def linear(self, graph: Graph, name: str, x: str, weight: Floats, bias: Floats) -> str:
        """MatMulIntegerToFloat; products of the same `x` share its quantization."""
        if x not in self._quantized:
            self._quantized[x] = self._input(graph, name, x)
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

    def _input(self, graph: Graph, name: str, x: str) -> list[str]:
        """`x` in uint8, its scale and the value that stands for zero."""
        if name not in self.ranges:
            return graph.nodes("DynamicQuantizeLinear", x, count=3)
        least, largest = self.ranges[name]
        scale = max(largest - least, EPSILON) / UINT8_MAX
        zero = np.uint8(np.clip(round(-least / scale), 0, UINT8_MAX))
        constants = [
            graph.constant(f"{name}.input_scale", np.array(scale, np.float32)),
            graph.constant(f"{name}.input_zero", np.array(zero, np.uint8)),
        ]
        return [graph.node("QuantizeLinear", x, *constants), *constants]

    def rows(self, graph: Graph, name: str, weight: Floats, ids: str) -> str:
        """Gather of int8 rows and of their scales."""
        integers, scales = quantize_rows(weight)
        chosen = graph.node("Gather", graph.constant(f"{name}.weight_int8", integers), ids)
        scale = graph.node("Gather", graph.constant(f"{name}.scales", scales[:, None]), ids)
        return graph.node("Mul", graph.node("CastLike", chosen, scale), scale)


def quantize_rows(weight: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Symmetric int8: integers `[rows, width]` and the scale of each row."""
    largest = np.abs(weight).max(axis=1)
    scales = (np.where(largest > SMALLEST, largest, 1) / INT8_MAX).astype(np.float32)
    return np.rint(weight / scales[:, None]).astype(np.int8), scales


@dataclass(frozen=True)
class Int4Products:
    """Weights in 4 bits with a scale for each block of inputs, activations in int8 by the block."""

    block: int = 32

    def linear(self, graph: Graph, name: str, x: str, weight: Floats, bias: Floats) -> str:
        """MatMulNBits."""
        outputs, inputs = weight.shape
        packed, scales = quantize_blocks(weight, self.block)
        return graph.node(
            "MatMulNBits",
            x,
            graph.constant(f"{name}.weight_int4", packed),
            graph.constant(f"{name}.block_scales", scales),
            "",
            "",
            graph.constant(f"{name}.bias", bias),
            domain=CONTRIB,
            K=inputs,
            N=outputs,
            bits=4,
            block_size=self.block,
            accuracy_level=INT8_ACTIVATIONS,
        )

    def rows(self, graph: Graph, name: str, weight: Floats, ids: str) -> str:
        """As with int8."""
        return Int8Products().rows(graph, name, weight, ids)


def quantize_blocks(weight: Floats, block: int) -> tuple[NDArray[np.uint8], Floats]:
    """Symmetric 4-bit numbers, two in a byte, `[rows, blocks, block / 2]`, and scales `[rows, blocks]`."""
    rows, width = weight.shape
    padded = np.pad(weight, ((0, 0), (0, -width % block))).reshape(rows, -1, block)
    # The value of the largest magnitude becomes -8, as llama.cpp's q4_0 has it.
    places = np.abs(padded).argmax(axis=-1)[..., None]
    extreme = np.take_along_axis(padded, places, axis=-1)
    scales = np.where(np.abs(extreme) > SMALLEST, extreme, 1) / -8
    numbers = np.clip(np.rint(padded / scales) + 8, 0, 15).astype(np.uint8)
    return numbers[..., ::2] | (numbers[..., 1::2] << 4), scales[..., 0].astype(np.float32)
