"""What a graph of one's own has inside: weights that a module changed, or modules between the layers' parts."""

from collections.abc import Mapping
from dataclasses import dataclass

from lowres_stilts.export.between import Between, Bottlenecks, Nothing
from lowres_stilts.export.products import Floats, Products
from lowres_stilts.export.reference import weights_of
from lowres_stilts.hub.composition import Composition
from lowres_stilts.hub.load import Loaded
from lowres_stilts.modules.lora import ModuleStack


@dataclass(frozen=True)
class Inside:
    """An encoder with its modules."""

    weights: Mapping[str, Floats]
    """By name, those of modules among them."""
    composition: Composition | None
    """Of AdapterHub's modules; others are in the weights."""
    language: str

    def between(self, products: Products) -> Between:
        """What stands between the layers' parts, with these products where they are as wide as the encoder's."""
        if self.composition is None:
            return Nothing()
        return Bottlenecks(self.composition, self.language, self.weights, products)


def inside_of(loaded: Loaded, language: str | None) -> Inside:
    """What a package makes of a float32 encoder; the package cannot be used any more.

    Args:
        loaded: the package over its base.
        language: whose modules are active; English where there is none.
    """
    stack = loaded.stack
    model = stack.merged() if isinstance(stack, ModuleStack) else stack.model
    return Inside(weights_of(model), loaded.composition, language or "en")
