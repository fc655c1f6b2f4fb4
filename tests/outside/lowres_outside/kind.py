"""A kind of modules: a vector that is added to the output of each layer."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lowres_stilts.encoder.load import Encoder
from lowres_stilts.errors import TrainingError
from lowres_stilts.pipeline.kinds import Kind
from lowres_stilts.recipe.module import ModuleSettings

FILE = "shift.safetensors"


class ShiftStack:
    def __init__(self, encoder: Encoder) -> None:
        self.model: nn.Module = encoder.model
        self._dtype = encoder.dtype
        self._active: tuple[str, ...] = ()
        self._size = encoder.hidden_size
        self._layers: list[nn.ParameterDict] = []
        for layer in encoder.model.encoder.layer:
            shifts = nn.ParameterDict()
            layer.add_module("shifts", shifts)
            layer.register_forward_hook(self._shifted(shifts))
            self._layers.append(shifts)

    def _shifted(self, shifts: nn.ParameterDict):
        def hook(_layer: nn.Module, _given: object, found: Tensor | tuple[Tensor, ...]):
            states, rest = (found, None) if isinstance(found, Tensor) else (found[0], found[1:])
            for name in self._active:
                states = states + shifts[name]
            return states if rest is None else (states, *rest)

        return hook

    def add(self, name: str, scale: float) -> None:
        for shifts in self._layers:
            shifts[name] = nn.Parameter(scale * torch.randn(self._size, dtype=self._dtype))

    def activate(self, names: Sequence[str], *, train: str | None = None) -> None:
        self._active = tuple(names)
        for shifts in self._layers:
            for name, shift in shifts.items():
                shift.requires_grad_(name == train)

    def trainable(self, name: str) -> dict[str, nn.Parameter]:
        found = {f"{number}": shifts[name] for number, shifts in enumerate(self._layers)}
        return {key: shift for key, shift in found.items() if shift.requires_grad}

    def write(self, name: str, folder: Path) -> None:
        tensors = {f"{number}": shifts[name].detach() for number, shifts in enumerate(self._layers)}
        save_file(tensors, folder / FILE)

    def load(self, name: str, folder: Path) -> None:
        tensors = load_file(folder / FILE)
        for number, shifts in enumerate(self._layers):
            shifts[name] = nn.Parameter(tensors[f"{number}"])

    def merge(self, name: str, weights: Mapping[str, float], *, method: str, density: float, seed: int) -> None:
        raise TrainingError("shifts cannot be merged; use target.transfer stack")


def _add(stack: ShiftStack, name: str, settings: ModuleSettings, fused: Sequence[str] | None) -> None:
    if fused is not None:
        raise TrainingError("shifts cannot be fused; use target.transfer stack")
    stack.add(name, float(settings.options.get("scale", 0.0)))


SHIFT = Kind(ShiftStack, _add)
