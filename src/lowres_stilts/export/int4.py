"""Weights in 4 bits, with a scale for each block of a row."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowres_stilts.export.graph import CONTRIB, Graph
from lowres_stilts.export.int8 import SMALLEST
from lowres_stilts.export.products import Floats

BLOCK = 32
INT8_ACTIVATIONS = 4
"""onnxruntime's level of accuracy at which MatMulNBits multiplies in int8."""


@dataclass(frozen=True)
class Int4Linear:
    """Inputs are quantized to int8 by the block as they come."""

    def add(self, graph: Graph, name: str, x: str, weight: Floats, bias: Floats) -> str:
        """MatMulNBits."""
        outputs, inputs = weight.shape
        numbers, scales = quantize_blocks(weight, BLOCK)
        return graph.node(
            "MatMulNBits",
            x,
            graph.constant(f"{name}.weight_int4", packed(numbers + 8)),
            graph.constant(f"{name}.block_scales", scales),
            "",
            "",
            graph.constant(f"{name}.bias", bias),
            domain=CONTRIB,
            K=inputs,
            N=outputs,
            bits=4,
            block_size=BLOCK,
            accuracy_level=INT8_ACTIVATIONS,
        )


@dataclass(frozen=True)
class Int4Rows:
    """Embeddings of an even width: half the size of int8 ones."""

    def add(self, graph: Graph, name: str, weight: Floats, ids: str) -> str:
        """GatherBlockQuantized."""
        numbers, scales = quantize_blocks(weight, BLOCK)
        whole = packed(numbers).reshape(len(weight), -1)[:, : weight.shape[1] // 2]
        chosen = graph.node(
            "GatherBlockQuantized",
            graph.int4_constant(f"{name}.rows_int4", whole, weight.shape),
            ids,
            graph.constant(f"{name}.block_scales", scales.astype(np.float16)),
            domain=CONTRIB,
            block_size=BLOCK,
            gather_axis=0,
            quantize_axis=1,
        )
        return graph.cast(chosen)


def quantize_blocks(weight: Floats, block: int) -> tuple[NDArray[np.int8], Floats]:
    """Symmetric 4-bit numbers from -8 to 7, `[rows, blocks, block]`, and scales `[rows, blocks]`."""
    rows, width = weight.shape
    padded = np.pad(weight, ((0, 0), (0, -width % block))).reshape(rows, -1, block)
    # The value of the largest magnitude becomes -8, as llama.cpp's q4_0 has it.
    places = np.abs(padded).argmax(axis=-1)[..., None]
    extreme = np.take_along_axis(padded, places, axis=-1)
    scales = np.where(np.abs(extreme) > SMALLEST, extreme, 1) / -8
    numbers = np.clip(np.rint(padded / scales), -8, 7).astype(np.int8)
    return numbers, scales[..., 0].astype(np.float32)


def packed(numbers: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Two 4-bit numbers in a byte, the first in its low half: the last size is halved."""
    halves = numbers.astype(np.uint8) & np.uint8(15)
    return halves[..., ::2] | (halves[..., 1::2] << np.uint8(4))
