"""How a bundle's weights are stored, by the machine that it is for."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from lowres_stilts.export.int4 import Int4Linear, Int4Rows
from lowres_stilts.export.int8 import Int8Linear, Int8Rows, Range
from lowres_stilts.export.products import FloatLinear, FloatRows, Linear, Products, Rows
from lowres_stilts.runtime.manifest import EmbeddingStorage, Quantize


@dataclass(frozen=True)
class Storage:
    """How weights are stored."""

    preset: str
    """The name under which that was chosen."""
    quantize: Quantize
    """Of linear layers: `static-` ones have fixed scales for activations, others take those of each batch."""
    embeddings: EmbeddingStorage

    @property
    def is_exact(self) -> bool:
        """Whether nothing is rounded."""
        return (self.quantize, self.embeddings) == ("none", "none")

    @property
    def is_static(self) -> bool:
        """Whether the ranges of the layers' inputs are needed."""
        return self.quantize.startswith("static-")


PRESETS: Mapping[str, Storage] = MappingProxyType(
    {
        storage.preset: storage
        for storage in (
            Storage("server-cpu", "static-int8", "int8"),
            Storage("edge-cpu", "static-uint8", "int4"),
            Storage("small", "int4", "int4"),
            Storage("cuda", "float16", "float16"),
            Storage("exact", "none", "none"),
        )
    }
)
"""`server-cpu`: for CPUs with VNNI or AMX, and ARM; `edge-cpu`: uint8 weights, for x86 CPUs without VNNI (see
`runtime.overflow`), and small embeddings; `small`: 4-bit weights, slower on batches; `cuda`: float16, for
onnxruntime's CUDA provider; `exact`: float32."""
EXACT = PRESETS["exact"]


def products_of(storage: Storage, ranges: Mapping[str, Range]) -> Products:
    """New products for one graph.

    Args:
        storage: how weights are stored.
        ranges: of the layers' inputs, for static quantization.
    """
    rows: dict[EmbeddingStorage, Rows] = {"int8": Int8Rows(), "int4": Int4Rows()}
    linear = _linear(storage, ranges if storage.is_static else {})
    floats = np.float16 if storage.quantize == "float16" else np.float32
    return Products(linear, rows.get(storage.embeddings, FloatRows()), floats)


def _linear(storage: Storage, ranges: Mapping[str, Range]) -> Linear:
    if storage.quantize in {"none", "float16"}:
        return FloatLinear()
    if storage.quantize == "int4":
        return Int4Linear()
    return Int8Linear(unsigned=storage.quantize.endswith("uint8"), ranges=ranges)
