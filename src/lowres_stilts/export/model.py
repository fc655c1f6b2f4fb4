"""The forms of the base: one adapter for a batch, one for each of its rows, or none."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import numpy as np
import onnx

from lowres_stilts.export.between import Between, Nothing
from lowres_stilts.export.graph import Graph
from lowres_stilts.export.heads import optional_heads, sequence_scores, token_scores
from lowres_stilts.export.layers import TOKENS, EncoderGraph, Shape
from lowres_stilts.export.products import Floats, Products
from lowres_stilts.export.sites import AdapterPerRow, NoSites, OneAdapter, Sites
from lowres_stilts.runtime.manifest import BARE, MIXED, MODEL
from lowres_stilts.runtime.names import HIDDEN, IDS, INDEX, MASK, SEQUENCE, TOKEN, states_of

Form = Literal["single", "mixed", "bare", "own"]
FORMS: Mapping[str, Form] = MappingProxyType({MODEL: "single", MIXED: "mixed", BARE: "bare"})
"""By the file in which a bundle has it."""


def base_model(
    shape: Shape,
    weights: Mapping[str, Floats],
    products: Products,
    form: Form,
    layers: Sequence[int] = (),
    between: Between | None = None,
) -> onnx.ModelProto:
    """A frozen encoder whose adapters and heads are optional inputs.

    Inputs are `input_ids` and `attention_mask` `[batch, length]`, in the mixed form `adapter_index` `[batch]`;
    outputs `last_hidden_state`, `sequence_scores` and `token_scores`, and `hidden_state_<n>` for other layers. The
    bare form has no places for adapters, which cost time even when they are empty, and no scores; an adapter's own
    has a place for its head.

    Args:
        shape: of the encoder.
        weights: by their names in the encoder.
        products: how they are stored and multiplied.
        form: whether there is one adapter for the batch, or one for each row, or none; or the graph is one's own.
        layers: whose hidden states can be asked for beside the last.
        between: what stands between the parts of the layers.
    """
    graph = Graph(products.floats)
    ids, mask = (graph.input(name, np.int64, TOKENS) for name in (IDS, MASK))
    index = graph.input(INDEX, np.int64, ["batch"]) if form == "mixed" else None
    encoder = EncoderGraph(graph, shape, weights, products, _sites(graph, form, ids, index), between or Nothing())
    states = encoder.states(ids, mask, [*layers, shape.layers])
    last = states[shape.layers]
    graph.output(HIDDEN, last, [*TOKENS, shape.hidden])
    for number in sorted(set(layers) - {shape.layers}):
        graph.output(states_of(number, shape.layers), states[number], [*TOKENS, shape.hidden])
    if form != "bare":
        head = optional_heads(graph, shape.hidden, index)
        scores = sequence_scores(graph, last, mask, head, per_row=index is not None)
        graph.output(SEQUENCE, scores, ["batch", "labels"])
        graph.output(TOKEN, token_scores(graph, last, head), [*TOKENS, "tags"])
    return graph.model()


def _sites(graph: Graph, form: Form, ids: str, index: str | None) -> Sites:
    if index is not None:
        return AdapterPerRow(index, graph.node("Shape", ids))
    return OneAdapter() if form == "single" else NoSites()
