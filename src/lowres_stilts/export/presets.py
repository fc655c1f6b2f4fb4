"""How a bundle's weights are stored, by the machine that it is for."""

from types import MappingProxyType
from typing import Literal

from lowres_stilts.export.products import FloatProducts, Int8Products, Products

Quantize = Literal["none", "int8", "uint8"]
PRESETS = MappingProxyType({"server-cpu": "int8", "edge-cpu": "uint8", "exact": "none"})
"""`server-cpu`: int8 weights, for CPUs with VNNI or AMX, and ARM; `edge-cpu`: uint8 weights, which cannot overflow
on older x86 CPUs; `exact`: float32."""


def products_of(quantize: Quantize) -> Products:
    """New products for one graph."""
    return FloatProducts() if quantize == "none" else Int8Products(unsigned=quantize == "uint8")
