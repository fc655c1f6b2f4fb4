"""Heads as optional inputs of a graph: scores of a sequence and of its tokens.

A sequence head projects `[pooled, tanh(dense(pooled))]`; a head without a dense layer has one of width zero, one
with it has zeros where `pooled` would enter. `pooled` is the first token, or with `head.mean` 1 the mean.
"""

from collections.abc import Callable, Mapping

import numpy as np

from lowres_stilts.export.graph import Graph
from lowres_stilts.export.products import Floats

SEQUENCE, TOKEN = "sequence_scores", "token_scores"


def add_heads(graph: Graph, states: str, mask: str, hidden: int, index: str | None = None) -> tuple[str, str]:
    """Scores `[batch, labels]` and `[batch, length, labels]`; of width zero where a run gives no head.

    Args:
        graph: to add to.
        states: hidden states `[batch, length, hidden]`.
        mask: `[batch, length]`.
        hidden: their width.
        index: `[batch]`: which of several heads each row has; one head for all where it is not given.
    """
    several = [] if index is None else ["n"]
    inputs = {
        name: graph.weight_input(name, [*several, *shape], _empty(shape, hidden, len(several)))
        for name, shape in head_shapes(hidden).items()
    }
    if index is not None:
        inputs = {name: graph.node("Gather", value, index) for name, value in inputs.items()}
    rows = _rows(graph, index)
    pooled = rows(_pooled(graph, states, mask, inputs["head.mean"]))
    dense = graph.node("MatMul", pooled, inputs["head.dense.weight"])
    dense = graph.node("Tanh", graph.node("Add", dense, rows(inputs["head.dense.bias"])))
    both = graph.node("Concat", pooled, dense, axis=-1)
    scores = graph.node("MatMul", both, inputs["head.projection.weight"])
    scores = graph.node("Add", scores, rows(inputs["head.projection.bias"]))
    tokens = graph.node("MatMul", states, inputs["head.tokens.weight"])
    tokens = graph.node("Add", tokens, rows(inputs["head.tokens.bias"]))
    if index is not None:
        scores = graph.node("Squeeze", scores, graph.constant("one", np.array([1])))
    return scores, tokens


def head_shapes(hidden: int) -> dict[str, list[int | str]]:
    """The inputs of the heads; names stand for sizes that a head chooses."""
    return {
        "head.mean": [1],
        "head.dense.weight": [hidden, "dense"],
        "head.dense.bias": ["dense"],
        "head.projection.weight": ["features", "labels"],
        "head.projection.bias": ["labels"],
        "head.tokens.weight": [hidden, "tags"],
        "head.tokens.bias": ["tags"],
    }


def head_inputs(head: Mapping[str, Floats], *, kind: str, mean: bool) -> dict[str, Floats]:
    """A trained head as inputs of the graph.

    Args:
        head: weights by our names: `projection.weight` `[labels, hidden]`, its bias, maybe `dense`.
        kind: `sequence` or `token`.
        mean: whether the head takes the mean over tokens.
    """
    weight, bias = head["projection.weight"].T, head["projection.bias"]
    if kind == "token":
        return {"head.tokens.weight": weight, "head.tokens.bias": bias}
    found = {"head.projection.bias": bias, "head.mean": np.array([float(mean)], np.float32)}
    if "dense.weight" not in head:
        return found | {"head.projection.weight": weight}
    return found | {
        "head.dense.weight": head["dense.weight"].T,
        "head.dense.bias": head["dense.bias"],
        "head.projection.weight": np.concatenate([np.zeros_like(weight), weight]),
    }


def _empty(shape: list[int | str], hidden: int, several: int) -> list[int]:
    """The default's sizes: no labels."""
    sizes = [size if isinstance(size, int) else {"features": hidden}.get(size, 0) for size in shape]
    return [1] * several + sizes


def _rows(graph: Graph, index: str | None) -> Callable[[str], str]:
    """With several heads, vectors become matrices of one row, so that each row of the batch has its own."""
    if index is None:
        return lambda value: value
    return lambda value: graph.node("Unsqueeze", value, graph.constant("one", np.array([1])))


def _pooled(graph: Graph, states: str, mask: str, mean: str) -> str:
    """The first token, or the mean over tokens, or what lies between: `[batch, hidden]`."""
    first = graph.node("Gather", states, graph.constant("first", np.array(0)), axis=1)
    weights = graph.node("Unsqueeze", graph.node("CastLike", mask, states), graph.constant("two", np.array([2])))
    axis = graph.constant("one", np.array([1]))
    total = graph.node("ReduceSum", graph.node("Mul", states, weights), axis, keepdims=0)
    average = graph.node("Div", total, graph.node("ReduceSum", weights, axis, keepdims=0))
    difference = graph.node("Mul", graph.node("Sub", average, first), mean)
    return graph.node("Add", first, difference)
