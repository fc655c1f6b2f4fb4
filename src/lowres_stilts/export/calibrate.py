"""The ranges that the inputs of linear layers have on real text, for static quantization."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from torch import nn

from lowres_stilts.export.int8 import Range

PEFT_PREFIX, PEFT_SUFFIX = "base_model.model.", ".base_layer"
"""What PEFT puts around the name of a layer that it wraps."""


class Calibration:
    """Collects the least and largest value of every feature of linear layers' inputs while models run.

    Args:
        encoder: whose layers; those of modules over it have no ranges.
    """

    def __init__(self, encoder: nn.Module) -> None:
        self._layers = {name for name, module in encoder.named_modules() if isinstance(module, nn.Linear)}
        self.ranges: dict[str, Range] = {}

    @contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        """Collects within."""
        named = {
            name.removeprefix(PEFT_PREFIX).removesuffix(PEFT_SUFFIX): module
            for name, module in model.named_modules()
            if isinstance(module, nn.Linear)
        }
        handles = [
            module.register_forward_pre_hook(self._hook(name))
            for name, module in named.items()
            if name in self._layers
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _hook(self, name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def widen(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            features = inputs[0].detach().reshape(-1, inputs[0].shape[-1])
            least, largest = features.amin(0).numpy(), features.amax(0).numpy()
            if known := self.ranges.get(name):
                least, largest = np.minimum(least, known.least), np.maximum(largest, known.largest)
            self.ranges[name] = Range(least, largest)

        return widen
