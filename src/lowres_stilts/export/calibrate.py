"""The ranges that the inputs of linear layers have on real text, for static quantization."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from lowres_stilts.export.products import Range

PEFT_PREFIX, PEFT_SUFFIX = "base_model.model.", ".base_layer"
"""What PEFT puts around the name of a layer that it wraps."""


class Calibration:
    """Collects the least and largest input of every linear layer while models run."""

    def __init__(self) -> None:
        self.ranges: dict[str, Range] = {}

    @contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        """Collects within."""
        linear = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
        handles = [
            module.register_forward_pre_hook(self._hook(name.removeprefix(PEFT_PREFIX).removesuffix(PEFT_SUFFIX)))
            for name, module in linear.items()
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _hook(self, name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def widen(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            least, largest = self.ranges.get(name, (0.0, 0.0))
            (x,) = inputs
            self.ranges[name] = min(least, float(x.min())), max(largest, float(x.max()))

        return widen
