"""Several frozen LoRAs below a new one, each layer's share of each of them learned.

It is to LoRA what AdapterFusion (Pfeiffer et al. 2021, arXiv:2005.00247) is to bottleneck adapters, with one
number in the place of attention: a sum of LoRAs with fixed weights is still one LoRA.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from lowres_stilts.modules.names import peft_name

FUSION = "fusion.safetensors"


class _Share:
    """Takes the place of one of PEFT's scalings, `output * scaling`."""

    def __init__(self, scaling: float, weight: nn.Parameter) -> None:
        self.scaling, self.weight = scaling, weight

    def __rmul__(self, output: Tensor) -> Tensor:
        return output * (self.weight * self.scaling)


class Fusion:
    """The weights of modules by layer, at first equal and 1 in sum; PEFT's scalings follow."""

    def __init__(self, parts: Mapping[str, Mapping[str, Any]], device: torch.device) -> None:
        """Puts the weights into PEFT's layers.

        Args:
            parts: PEFT's layers, by module and name.
            device: of the encoder.
        """
        self._parts = list(parts)
        self.weights: dict[str, nn.Parameter] = {}
        for part, layers in parts.items():
            for path, layer in layers.items():
                weight = nn.Parameter(torch.tensor(1 / len(parts), device=device))
                self.weights[f"fusion.{part}.{path}"] = weight
                layer.scaling[peft_name(part)] = _Share(layer.scaling[peft_name(part)], weight)

    def write(self, path: Path) -> None:
        """Writes the weights and the order of the modules."""
        content = {name: weight.detach().cpu() for name, weight in self.weights.items()}
        path.write_bytes(save(content, metadata={"parts": "\n".join(self._parts)}))

    def load(self, path: Path) -> None:
        """Takes up what `write` wrote."""
        found = load_file(path)
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(found[name])


def parts_of(path: Path) -> list[str]:
    """The modules that are fused."""
    with safe_open(path, framework="pt") as file:
        parts: str = file.metadata()["parts"]
    return parts.split("\n")


def fused_weights(path: Path) -> dict[str, dict[str, float]]:
    """The learned weights by module and layer."""
    found = load_file(path)
    return {
        part: {
            name.removeprefix(f"fusion.{part}."): float(value)
            for name, value in found.items()
            if name.startswith(f"fusion.{part}.")
        }
        for part in parts_of(path)
    }
