"""Heads in a graph: scores of a sequence and of its tokens.

A sequence head projects `[pooled, tanh(dense(pooled))]`; a head without a dense layer has one of width zero, one
with it has zeros where `pooled` would enter. `pooled` is the first token, or with `head.mean` 1 the mean.
"""

from collections.abc import Mapping

import numpy as np

from lowres_stilts.export.graph import Graph
from lowres_stilts.export.products import Floats


def optional_heads(graph: Graph, hidden: int, index: str | None = None) -> dict[str, str]:
    """The weights of a head as inputs that a run may leave out.

    Args:
        graph: to add to.
        hidden: width of the hidden states.
        index: `[batch]`: which of several heads each row has; one head for all where it is not given.
    """
    several = [] if index is None else ["n"]
    dtype = np.float32 if several else np.float16
    inputs = {
        name: graph.weight_input(name, [*several, *shape], _empty(shape, hidden, len(several)), dtype)
        for name, shape in head_shapes(hidden).items()
    }
    if index is None:
        return inputs
    chosen = {name: graph.node("Gather", value, index) for name, value in inputs.items()}
    # Vectors become matrices of one row, so that each row of the batch has its own.
    one = graph.constant("one", np.array([1]))
    return {
        name: graph.node("Unsqueeze", value, one) if len(head_shapes(hidden)[name]) == 1 else value
        for name, value in chosen.items()
    }


def fixed_heads(graph: Graph, hidden: int, weights: Mapping[str, Floats], kind: str) -> dict[str, str]:
    """The weights of one head of a kind, `sequence` or `token`, as constants; what it lacks has width zero."""
    shapes = {
        name: shape
        for name, shape in head_shapes(hidden).items()
        if name.startswith("head.tokens") == (kind == "token")
    }
    found = {name: np.zeros(_empty(shape, hidden, 0), np.float32) for name, shape in shapes.items()}
    return {name: graph.constant(name, weights.get(name, empty)) for name, empty in found.items()}


def sequence_scores(graph: Graph, states: str, mask: str, head: Mapping[str, str], *, per_row: bool) -> str:
    """Scores `[batch, labels]` from hidden states `[batch, length, hidden]` and a mask `[batch, length]`."""
    one = graph.constant("one", np.array([1]))
    first, average = _first(graph, states), _average(graph, states, mask)
    if per_row:
        first, average = (graph.node("Unsqueeze", value, one) for value in (first, average))
    difference = graph.node("Mul", graph.node("Sub", average, first), head["head.mean"])
    pooled = graph.node("Add", first, difference)
    dense = graph.node("MatMul", pooled, head["head.dense.weight"])
    dense = graph.node("Tanh", graph.node("Add", dense, head["head.dense.bias"]))
    scores = graph.node("MatMul", graph.node("Concat", pooled, dense, axis=-1), head["head.projection.weight"])
    scores = graph.node("Add", scores, head["head.projection.bias"])
    return graph.node("Squeeze", scores, one) if per_row else scores


def token_scores(graph: Graph, states: str, head: Mapping[str, str]) -> str:
    """Scores `[batch, length, labels]` from hidden states `[batch, length, hidden]`."""
    scores = graph.node("MatMul", states, head["head.tokens.weight"])
    return graph.node("Add", scores, head["head.tokens.bias"])


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


def _first(graph: Graph, states: str) -> str:
    return graph.node("Gather", states, graph.constant("first", np.array(0)), axis=1)


def _average(graph: Graph, states: str, mask: str) -> str:
    """The mean over tokens: `[batch, hidden]`."""
    weights = graph.node("Unsqueeze", graph.node("CastLike", mask, states), graph.constant("two", np.array([2])))
    axis = graph.constant("one", np.array([1]))
    total = graph.node("ReduceSum", graph.node("Mul", states, weights), axis, keepdims=0)
    return graph.node("Div", total, graph.node("ReduceSum", weights, axis, keepdims=0))
