"""Weights in 8 bits."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lowres_stilts.export.graph import CONTRIB, Graph
from lowres_stilts.export.products import Floats

INT8_MAX, UINT8_MAX = 127, 255
SMALLEST = 1e-30
"""A row whose values are all smaller counts as zero."""
EPSILON = 1e-6
"""The least range of a layer's input."""
OUTLIERS = 8
"""Most features of an input that may leave the range of the others."""
FAR = 1.25
"""How many times the largest of the others they must reach."""


@dataclass(frozen=True)
class Range:
    """Between which values the features of a layer's input were, `[in]` each."""

    least: Floats
    largest: Floats


@dataclass(frozen=True)
class Quantized:
    """An input in uint8, its scale, and the value that stands for zero, as values of a graph."""

    values: str
    scale: str
    zero: str
    excess: str | None = None
    """`[tokens, outliers]`: how far outliers are beyond what uint8 can say."""
    outliers: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Which features they are."""


@dataclass(frozen=True)
class Int8Linear:
    """Weights in int8 with a scale for each output; inputs in uint8 with one scale for all.

    Where the range of an input was measured, its scale is fixed by it, so that an answer does not depend on what
    shares its batch. A few features of transformers are many times larger than the rest (Dettmers et al. 2022,
    LLM.int8(), arXiv:2208.07339, section 3); the range is that of the others, and what is beyond it is multiplied
    in float32 and added. Without a range, the scale is that of each batch (DynamicQuantizeLinear).
    """

    unsigned: bool = False
    """uint8 weights: for CPUs without VNNI, where int8 ones may overflow."""
    ranges: Mapping[str, Range] = field(default_factory=dict)
    """By layer, where they were measured."""
    _inputs: dict[str, Quantized] = field(default_factory=dict)

    def add(self, graph: Graph, name: str, x: str, weight: Floats, bias: Floats) -> str:
        """MatMulIntegerToFloat; products of the same `x` share its quantization."""
        if x not in self._inputs:
            has_range = name in self.ranges
            self._inputs[x] = self._fixed(graph, name, x) if has_range else _dynamic(graph, x)
        given = self._inputs[x]
        integers, scales = quantize_rows(weight)
        zeros = np.zeros(len(scales), np.int8)
        if self.unsigned:
            integers, zeros = (array.view(np.uint8) ^ 128 for array in (integers, zeros))
        product = graph.node(
            "MatMulIntegerToFloat",
            given.values,
            graph.constant(f"{name}.weight_int8", integers.T),
            given.scale,
            graph.constant(f"{name}.scales", scales),
            given.zero,
            graph.constant(f"{name}.zeros", zeros),
            graph.constant(f"{name}.bias", bias),
            domain=CONTRIB,
        )
        if given.excess is None:
            return product
        columns = graph.constant(f"{name}.outliers", weight[:, given.outliers].T)
        return graph.node("Gemm", given.excess, columns, product)

    def _fixed(self, graph: Graph, name: str, x: str) -> Quantized:
        outliers, least, largest = split_range(self.ranges[name])
        step = max(largest - least, EPSILON) / UINT8_MAX
        zero = np.uint8(np.clip(round(-least / step), 0, UINT8_MAX))
        scale = graph.constant(f"{name}.input_scale", np.array(step, np.float32))
        point = graph.constant(f"{name}.input_zero", np.array(zero, np.uint8))
        values = graph.node("QuantizeLinear", x, scale, point)
        if not len(outliers):
            return Quantized(values, scale, point)
        bounds = [
            graph.constant(f"{name}.input_{end}", np.array((limit - float(zero)) * step, np.float32))
            for end, limit in (("least", 0), ("largest", UINT8_MAX))
        ]
        features = graph.node("Gather", x, graph.constant(f"{name}.features", outliers), axis=1)
        excess = graph.node("Sub", features, graph.node("Clip", features, *bounds))
        return Quantized(values, scale, point, excess, outliers)


@dataclass(frozen=True)
class Int8Rows:
    """Embeddings in int8 with a scale for each row, as bitsandbytes' have, so that these keep their values."""

    def add(self, graph: Graph, name: str, weight: Floats, ids: str) -> str:
        """Gather of int8 rows and of their scales."""
        integers, scales = quantize_rows(weight)
        chosen = graph.node("Gather", graph.constant(f"{name}.weight_int8", integers), ids)
        scale = graph.node("Gather", graph.constant(f"{name}.scales", scales[:, None]), ids)
        return graph.node("Mul", graph.node("CastLike", chosen, scale), scale)


def split_range(range_: Range) -> tuple[NDArray[np.int64], float, float]:
    """Features that are far larger than the rest, and the range of the rest, which includes zero."""
    sizes = np.maximum(-range_.least, range_.largest)
    order = np.argsort(-sizes)
    bound = FAR * sizes[order[min(OUTLIERS, len(order) - 1)]]
    outliers = np.sort(order[:OUTLIERS][sizes[order[:OUTLIERS]] > bound])
    rest = np.delete(np.arange(len(sizes)), outliers)
    least, largest = float(range_.least[rest].min()), float(range_.largest[rest].max())
    return outliers, min(least, 0.0), max(largest, 0.0)


def quantize_rows(weight: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Symmetric int8: integers `[rows, width]` and the scale of each row."""
    largest = np.abs(weight).max(axis=1)
    scales = (np.where(largest > SMALLEST, largest, 1) / INT8_MAX).astype(np.float32)
    return np.rint(weight / scales[:, None]).astype(np.int8), scales


def _dynamic(graph: Graph, x: str) -> Quantized:
    values, scale, zero = graph.nodes("DynamicQuantizeLinear", x, count=3)
    return Quantized(values, scale, zero)
