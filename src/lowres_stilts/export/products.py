"""What a graph computes with frozen weights: products, and rows of embeddings."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lowres_stilts.export.graph import FloatType, Graph

Floats = NDArray[np.float32]


class Linear(Protocol):
    """Adds `x @ weight.T + bias` to a graph."""

    def add(self, graph: Graph, name: str, x: str, weight: Floats, bias: Floats) -> str:
        """The product of `x` `[tokens, in]` with a weight `[out, in]`."""
        ...


class Rows(Protocol):
    """Adds the choice of rows to a graph."""

    def add(self, graph: Graph, name: str, weight: Floats, ids: str) -> str:
        """The rows of a weight `[rows, width]` that ids `[batch, length]` name."""
        ...


@dataclass(frozen=True)
class Products:
    """How the weights of one graph are stored and used."""

    linear: Linear
    rows: Rows
    floats: FloatType = np.float32
    """Of everything that is no integer."""


@dataclass(frozen=True)
class FloatLinear:
    """As torch computes it, in the graph's floating-point type."""

    def add(self, graph: Graph, name: str, x: str, weight: Floats, bias: Floats) -> str:
        """MatMul and Add."""
        product = graph.node("MatMul", x, graph.constant(f"{name}.weight", weight.T))
        return graph.node("Add", product, graph.constant(f"{name}.bias", bias))


@dataclass(frozen=True)
class FloatRows:
    """In the graph's floating-point type."""

    def add(self, graph: Graph, name: str, weight: Floats, ids: str) -> str:
        """Gather."""
        return graph.node("Gather", graph.constant(f"{name}.weight", weight), ids)
