"""The encoder as a graph: XLM-R and BERT (norms after each part), XLM-R XL (norms before)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from lowres_stilts.export.between import Between, Place
from lowres_stilts.export.graph import CONTRIB, Graph
from lowres_stilts.export.products import Floats, Products
from lowres_stilts.export.sites import Sites

TOKENS = ["batch", "length"]
NORMS: Mapping[bool, Mapping[Place, str]] = MappingProxyType(
    {
        True: {"attention": "attention.self_attn_layer_norm", "output": "LayerNorm"},
        False: {"attention": "attention.output.LayerNorm", "output": "output.LayerNorm"},
    }
)
"""Each block's normalization in a layer, by whether it comes first."""


@dataclass(frozen=True)
class Shape:
    """What a graph must know of a model's configuration."""

    model_type: str
    layers: int
    heads: int
    hidden: int
    epsilon: float
    pad_id: int

    @property
    def norms_first(self) -> bool:
        """Whether each part is normalized before it instead of after."""
        return self.model_type == "xlm-roberta-xl"

    @property
    def counts_tokens(self) -> bool:
        """Whether positions count the tokens that are no padding, from `pad_id + 1`."""
        return self.model_type != "bert"


class EncoderGraph:
    """Adds an encoder to a graph, part by part."""

    def __init__(
        self,
        graph: Graph,
        shape: Shape,
        weights: Mapping[str, Floats],
        products: Products,
        sites: Sites,
        between: Between,
    ) -> None:
        self._graph = graph
        self._between = between
        self._shape = shape
        self._weights = weights
        self._products = products
        self._sites = sites
        self._flat = graph.constant("flat", np.array([-1, shape.hidden]))

    def states(self, ids: str, mask: str, wanted: Sequence[int]) -> dict[int, str]:
        """Hidden states `[batch, length, hidden]` by layer; 0 is the embedding output."""
        graph = self._graph
        embedded = self._between.embedded(graph, self._embedded(ids))
        shape = graph.node("Shape", embedded)
        keep = graph.node("Cast", mask, to=TensorProto.INT32)  # as onnxruntime's attention wants it
        x = graph.node("Reshape", embedded, self._flat)
        found = {0: embedded}
        for number in range(self._shape.layers):
            x = self._layer(number, x, keep, shape)
            if number + 1 in wanted or number + 1 == self._shape.layers:
                found[number + 1] = graph.node("Reshape", x, shape)
        if self._shape.norms_first:
            last = self._shape.layers
            found[last] = self._norm("encoder.LayerNorm", found[last])
        return {number: value for number, value in found.items() if number in wanted}

    def _embedded(self, ids: str) -> str:
        words = self._rows("embeddings.word_embeddings", self._weight("embeddings.word_embeddings"), ids)
        # Every token is of the first type.
        table = (
            self._weight("embeddings.position_embeddings") + self._weight("embeddings.token_type_embeddings")[0]
        )
        places = self._rows("embeddings.position_embeddings", table, self._positions(ids))
        total = self._graph.node("Add", words, places)
        return total if self._shape.norms_first else self._norm("embeddings.LayerNorm", total)

    def _positions(self, ids: str) -> str:
        """The position of each token, `[batch, length]`, or `[length]` where padding counts too."""
        graph, one = self._graph, self._graph.constant("one", np.array([1]))
        if not self._shape.counts_tokens:
            length = graph.node("Squeeze", graph.node("Shape", ids, start=1))
            start, step = (graph.constant(f"scalar.{number}", np.array(number)) for number in (0, 1))
            return graph.node("Range", start, length, step)
        padding = graph.constant("pad_id", np.array([self._shape.pad_id]))
        tokens = graph.node("Cast", graph.node("Not", graph.node("Equal", ids, padding)), to=TensorProto.INT64)
        counted = graph.node("Mul", graph.node("CumSum", tokens, one), tokens)
        return graph.node("Add", counted, padding)

    def _rows(self, path: str, table: Floats, ids: str) -> str:
        return self._products.rows.add(self._graph, path, table, ids)

    def _layer(self, number: int, x: str, keep: str, shape: str) -> str:
        path = f"encoder.layer.{number}"
        x = self._block(number, "attention", x, lambda given: self._attention(path, given, keep, shape))
        return self._block(number, "output", x, lambda given: self._feed_forward(path, given))

    def _block(self, number: int, place: Place, x: str, run: Callable[[str], str]) -> str:
        """A block with what is between it and the sum with its input, and its normalization."""
        first = self._shape.norms_first
        norm = partial(self._norm, f"encoder.layer.{number}.{NORMS[first][place]}")
        y = run(norm(x) if first else x)
        y = self._between.after(self._graph, number, place, y, x, None if first else norm)
        total = self._graph.node("Add", y, x)
        return total if first else norm(total)

    def _attention(self, path: str, x: str, keep: str, shape: str) -> str:
        parts = [
            self._graph.node("Reshape", self._linear(f"{path}.attention.self.{part}", x), shape)
            for part in ("query", "key", "value")
        ]
        attended = self._graph.node(
            "MultiHeadAttention", *parts, "", keep, domain=CONTRIB, num_heads=self._shape.heads
        )
        attended = self._graph.node("Reshape", attended, self._flat)
        return self._linear(f"{path}.attention.output.dense", attended)

    def _feed_forward(self, path: str, x: str) -> str:
        wide = self._linear(f"{path}.intermediate.dense", x)
        return self._linear(f"{path}.output.dense", self._graph.node("Gelu", wide, domain=CONTRIB))

    def _linear(self, path: str, x: str) -> str:
        weight = self._weight(path)
        outputs, inputs = weight.shape
        y = self._products.linear.add(self._graph, path, x, weight, self._weights[f"{path}.bias"])
        return self._sites.add(self._graph, path, x, y, inputs=inputs, outputs=outputs)

    def _norm(self, path: str, x: str) -> str:
        return self._graph.node("LayerNormalization", x, *self._norm_weights(path), epsilon=self._shape.epsilon)

    def _norm_weights(self, path: str) -> list[str]:
        names = (f"{path}.weight", f"{path}.bias")
        return [self._graph.constant(name, self._weights[name]) for name in names]

    def _weight(self, path: str) -> NDArray[np.float32]:
        return self._weights[f"{path}.weight"]
