"""How a bundle's weights are stored, by the machine that it is for."""

from collections.abc import Mapping
from types import MappingProxyType

from lowres_stilts.export.products import FloatProducts, Int4Products, Int8Products, Products, Range
from lowres_stilts.runtime.manifest import Quantize

PRESETS: Mapping[str, Quantize] = MappingProxyType(
    {"server-cpu": "int8", "edge-cpu": "uint8", "small": "int4", "exact": "none"}
)
"""`server-cpu`: int8 weights, for CPUs with VNNI or AMX, and ARM; `edge-cpu`: uint8 weights, which cannot overflow
on older x86 CPUs; `small`: 4-bit weights, slower on batches; `exact`: float32."""


def products_of(quantize: Quantize, ranges: Mapping[str, Range]) -> Products:
    """New products for one graph.

    Args:
        quantize: how weights are stored; `static-int8` has fixed scales for activations too.
        ranges: of the layers' inputs, which those come from.
    """
    if quantize == "none":
        return FloatProducts()
    if quantize == "int4":
        return Int4Products()
    return Int8Products(unsigned=quantize == "uint8", ranges=ranges if quantize == "static-int8" else {})
