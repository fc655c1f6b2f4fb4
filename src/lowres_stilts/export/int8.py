"""Weights in 8 bits."""

import math
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
MOST_COLUMNS = 32
"""For what one feature has beyond the range."""
FAR = 1.25
"""How many times the largest of the others they must reach."""


@dataclass(frozen=True)
class Range:
    """Between which values the features of a layer's input were, `[in]` each."""

    least: Floats
    largest: Floats


@dataclass(frozen=True)
class Overflow:
    """Columns that carry what features have beyond the range: of a feature with three times as much, two."""

    features: NDArray[np.int64]
    """`[columns]`: which feature a column belongs to."""
    signs: Floats
    """`[columns]`: 1 for what is above the range, -1 for what is below."""
    starts: Floats
    """`[columns]`: the size from which on it counts."""


@dataclass(frozen=True)
class Quantized:
    """An input in uint8, its scale, and the value that stands for zero, as values of a graph."""

    values: str
    scale: str
    zero: str
    overflow: Overflow | None = None
    """The columns that follow the features."""


@dataclass(frozen=True)
class Int8Linear:
    """Weights in int8 with a scale for each output; inputs in uint8 with one scale for all.

    Where the range of an input was measured, its scale is fixed by it, so that an answer does not depend on what
    shares its batch. A few features of transformers are many times larger than the rest (Dettmers et al. 2022,
    LLM.int8(), arXiv:2208.07339, section 3). The range is that of the others, and what is beyond it goes into
    further columns with the same weights, as in outlier channel splitting (Zhao et al. 2019, arXiv:1901.09504).
    Without a range, the scale is that of each batch (DynamicQuantizeLinear).
    """

    unsigned: bool = False
    """uint8 weights: for CPUs without VNNI, where products of int8 ones overflow (`runtime.overflow`)."""
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
        if given.overflow is not None:
            columns = integers[:, given.overflow.features] * given.overflow.signs.astype(np.int8)
            integers = np.concatenate([integers, columns], axis=1)
        zeros = np.zeros(len(scales), np.int8)
        if self.unsigned:
            integers, zeros = (array.view(np.uint8) ^ 128 for array in (integers, zeros))
        return graph.node(
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

    def _fixed(self, graph: Graph, name: str, x: str) -> Quantized:
        least, largest = usual_range(self.ranges[name])
        step = max(largest - least, EPSILON) / UINT8_MAX
        point = np.uint8(np.clip(round(-least / step), 0, UINT8_MAX))
        scale = graph.constant(f"{name}.input_scale", np.array(step, np.float32))
        zero = graph.constant(f"{name}.input_zero", np.array(point, np.uint8))
        values = graph.node("QuantizeLinear", x, scale, zero)
        ends = step * (0 - float(point)), step * (UINT8_MAX - float(point))
        overflow = overflow_of(self.ranges[name], *ends)
        if not len(overflow.features):
            return Quantized(values, scale, zero)
        beyond = graph.node("Gather", x, graph.constant(f"{name}.features", overflow.features), axis=1)
        beyond = graph.node("Mul", beyond, graph.constant(f"{name}.signs", overflow.signs))
        beyond = graph.node("Sub", beyond, graph.constant(f"{name}.starts", overflow.starts))
        columns = graph.node("QuantizeLinear", graph.node("Relu", beyond), scale, zero)
        return Quantized(graph.node("Concat", values, columns, axis=1), scale, zero, overflow)


@dataclass(frozen=True)
class Int8Rows:
    """Embeddings in int8 with a scale for each row, as bitsandbytes' have, so that these keep their values."""

    def add(self, graph: Graph, name: str, weight: Floats, ids: str) -> str:
        """Gather of int8 rows and of their scales."""
        integers, scales = quantize_rows(weight)
        chosen = graph.node("Gather", graph.constant(f"{name}.weight_int8", integers), ids)
        scale = graph.node("Gather", graph.constant(f"{name}.scales", scales[:, None]), ids)
        return graph.node("Mul", graph.node("CastLike", chosen, scale), scale)


def usual_range(range_: Range) -> tuple[float, float]:
    """The range of all features but a few that are far larger; it includes zero."""
    sizes = np.maximum(-range_.least, range_.largest)
    order = np.argsort(-sizes)
    bound = FAR * sizes[order[min(OUTLIERS, len(order) - 1)]]
    rest = [number for place, number in enumerate(order) if place >= OUTLIERS or sizes[number] <= bound]
    return min(float(range_.least[rest].min()), 0.0), max(float(range_.largest[rest].max()), 0.0)


def overflow_of(range_: Range, least: float, largest: float) -> Overflow:
    """The columns that what is beyond a range needs, each of which holds at most `largest`."""
    columns = []
    for sign, sizes, end in ((1.0, range_.largest, largest), (-1.0, -range_.least, -least)):
        for feature in np.flatnonzero(sizes > end + largest / INT8_MAX):
            count = min(math.ceil((float(sizes[feature]) - end) / max(largest, EPSILON)), MOST_COLUMNS)
            columns += [(int(feature), sign, end + number * largest) for number in range(count)]
    features, signs, starts = zip(*columns, strict=True) if columns else ((), (), ())
    return Overflow(np.array(features, np.int64), np.array(signs, np.float32), np.array(starts, np.float32))


def quantize_rows(weight: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Symmetric int8: integers `[rows, width]` and the scale of each row."""
    largest = np.abs(weight).max(axis=1)
    scales = (np.where(largest > SMALLEST, largest, 1) / INT8_MAX).astype(np.float32)
    return np.rint(weight / scales[:, None]).astype(np.int8), scales


def _dynamic(graph: Graph, x: str) -> Quantized:
    values, scale, zero = graph.nodes("DynamicQuantizeLinear", x, count=3)
    return Quantized(values, scale, zero)
