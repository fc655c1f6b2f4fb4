"""What a graph has between the parts of the encoder's layers: bottleneck adapters, or nothing."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, Protocol

import numpy as np

from lowres_stilts.export.graph import Graph
from lowres_stilts.export.products import Floats, Products
from lowres_stilts.hub.adapterhub_config import MODULE_CONFIGS
from lowres_stilts.hub.composition import Composition, FusionModule

Norm = Callable[[str], str]
Place = Literal["attention", "output"]
PLACES: Mapping[Place, str] = MappingProxyType({"attention": "attention.output", "output": "output"})
HOOKED_PLACES: Mapping[Place, str] = MappingProxyType(
    {"attention": "attention_adapters", "output": "output_adapters"}
)
"""Where AdapterHub keeps the modules of a layer; hooked ones in XLM-R XL."""


class Between(Protocol):
    """What stands after the embeddings, and after the attention and the feed-forward block of each layer."""

    def embedded(self, graph: Graph, x: str) -> str:
        """What the first layer takes instead of the embeddings `x` `[batch, length, hidden]`."""
        ...

    def after(self, graph: Graph, number: int, place: Place, x: str, before: str, norm: Norm | None) -> str:
        """What is added to a block's input instead of its output.

        Args:
            graph: to add to.
            number: of the layer.
            place: the block.
            x: its output `[tokens, hidden]`.
            before: its input.
            norm: adds the normalization that comes after their sum, where there is one.
        """
        ...


class Nothing:
    """The encoder as it is."""

    def embedded(self, graph: Graph, x: str) -> str:
        """The embeddings."""
        return x

    def after(self, graph: Graph, number: int, place: Place, x: str, before: str, norm: Norm | None) -> str:
        """The block's output."""
        return x


class Bottlenecks:
    """AdapterHub's bottleneck adapters, stacked or fused, with the invertible part of a language adapter.

    Sources: those of `modules.bottleneck`; the order of residuals and norms is AdapterHub's
    (`methods/bottleneck.py`, `methods/modeling.py`).
    """

    def __init__(
        self, composition: Composition, language: str, weights: Mapping[str, Floats], products: Products
    ) -> None:
        """Modules for a language, the weights of the encoder and its modules by name, and how fusions multiply."""
        active = composition.active(language)
        modules = {module.name: module for module in composition.places.values()}
        is_fused = isinstance(composition.top, FusionModule)
        self._fusion = composition.top.name if is_fused else None
        self._names = [module.name for module in composition.below] if is_fused else active
        self._configs: dict[str, Mapping[str, Any]] = {
            name: MODULE_CONFIGS[modules[name].adapter]().to_dict() for name in self._names
        }
        self._weights = weights
        self._products = products
        self._places = HOOKED_PLACES if any(HOOKED_PLACES["output"] in name for name in weights) else PLACES

    def embedded(self, graph: Graph, x: str) -> str:
        """Through the coupling (NICE) of the lowest module, if it has one."""
        path = f"invertible_adapters.{self._names[0]}"
        if f"{path}.F.0.weight" not in self._weights:
            return x
        activation = self._configs[self._names[0]]["non_linearity"]
        first, second = graph.nodes("Split", x, count=2, axis=-1, num_outputs=2)
        for_first, for_second = ((f"{path}.{part}.0", f"{path}.{part}.2") for part in "FG")
        first = graph.node("Add", first, self._two_layers(graph, *for_first, activation, second))
        second = graph.node("Add", second, self._two_layers(graph, *for_second, activation, first))
        return graph.node("Concat", first, second, axis=-1)

    def after(self, graph: Graph, number: int, place: Place, x: str, before: str, norm: Norm | None) -> str:
        """Through the modules that are there."""
        path = f"encoder.layer.{number}.{self._places[place]}"
        names = [name for name in self._names if f"{path}.adapters.{name}.adapter_up.weight" in self._weights]
        if not names:
            return x
        run = self._fused if self._fusion else self._stacked
        found = run(graph, path, names, x, before, norm)
        return graph.node("Add", found, x) if self._configs[names[-1]]["is_parallel"] else found

    def _stacked(
        self, graph: Graph, path: str, names: Sequence[str], x: str, before: str, norm: Norm | None
    ) -> str:
        for name in names:
            entered, residual = self._entered(graph, name, x, before, norm)
            up = self._up(graph, path, name, entered)
            x = up if self._configs[name]["is_parallel"] else graph.node("Add", up, residual)
        return x

    def _fused(self, graph: Graph, path: str, names: Sequence[str], x: str, before: str, norm: Norm | None) -> str:
        """Attention of each token over what the modules make of it; the last module says what they take."""
        entered, residual = self._entered(graph, names[-1], x, before, norm)
        fusion = f"{path}.adapter_fusion_layer.{self._fusion}"
        middle = graph.constant("one", np.array([1]))
        ups = [self._up(graph, path, name, entered) for name in names]
        keys, values = (
            graph.node(
                "Concat",
                *(graph.node("Unsqueeze", self._square(graph, f"{fusion}.{part}", up), middle) for up in ups),
                axis=1,
            )
            for part in ("key", "value")
        )
        query = graph.node("Unsqueeze", self._square(graph, f"{fusion}.query", entered), middle)
        scores = graph.node("MatMul", query, graph.node("Transpose", keys, perm=[0, 2, 1]))
        context = graph.node("MatMul", graph.node("Softmax", scores, axis=-1), values)
        return graph.node("Add", graph.node("Squeeze", context, middle), residual)

    def _entered(self, graph: Graph, name: str, x: str, before: str, norm: Norm | None) -> tuple[str, str]:
        """What a module takes, and what is added to what it gives."""
        config = self._configs[name]
        if config["is_parallel"]:
            return before, before
        if not config["original_ln_before"]:
            return x, x
        total = graph.node("Add", x, before)
        return (norm(total) if norm else total), x

    def _up(self, graph: Graph, path: str, name: str, x: str) -> str:
        module, config = f"{path}.adapters.{name}", self._configs[name]
        up = self._two_layers(
            graph, f"{module}.adapter_down.0", f"{module}.adapter_up", config["non_linearity"], x
        )
        if config["scaling"] == 1:
            return up
        scaling = np.array(config["scaling"], np.float32)
        return graph.node("Mul", up, graph.constant(f"{module}.scaling", scaling))

    def _two_layers(self, graph: Graph, down: str, up: str, activation: str, x: str) -> str:
        narrow = self._linear(graph, down, x)
        if activation == "relu":
            return self._linear(graph, up, graph.node("Relu", narrow))
        if activation == "swish":
            return self._linear(graph, up, graph.node("Mul", narrow, graph.node("Sigmoid", narrow)))
        raise ValueError(f"no module has the activation {activation}")

    def _linear(self, graph: Graph, path: str, x: str) -> str:
        """In float32: these are thin."""
        product = graph.node("MatMul", x, graph.constant(f"{path}.weight", self._weights[f"{path}.weight"].T))
        return graph.node("Add", product, graph.constant(f"{path}.bias", self._weights[f"{path}.bias"]))

    def _square(self, graph: Graph, path: str, x: str) -> str:
        """A product of the hidden states' full width; the value of a fusion has no bias."""
        weight = self._weights[f"{path}.weight"]
        bias = self._weights.get(f"{path}.bias", np.zeros(len(weight), np.float32))
        return self._products.linear.add(graph, path, x, weight, bias)
