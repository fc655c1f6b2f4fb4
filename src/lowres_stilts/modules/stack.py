"""Named modules over the frozen encoder, whichever library they are of."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from torch import nn


class Stack(Protocol):
    """An encoder with named modules over it; some of them are active, and one may be trained."""

    @property
    def model(self) -> nn.Module:
        """What is called like the encoder: token ids and mask in, `last_hidden_state` out."""
        ...

    def activate(self, names: Sequence[str], *, train: str | None = None) -> None:
        """Makes these modules, from the bottom up, take part in the forward pass, and one of them learn.

        Raises:
            TrainingError: there is nothing to train.
        """
        ...

    def trainable(self, name: str) -> dict[str, nn.Parameter]:
        """The parameters of a module that learn, by name."""
        ...

    def write(self, name: str, folder: Path) -> None:
        """Writes a module into an existing folder, as safetensors."""
        ...

    def load(self, name: str, folder: Path) -> None:
        """Adds a module that `write` wrote.

        Raises:
            TrainingError: the folder holds no module for this encoder.
        """
        ...

    def merge(self, name: str, weights: Mapping[str, float], *, method: str, density: float, seed: int) -> None:
        """Adds a module that is made of others, or replaces it.

        Raises:
            TrainingError: they do not fit each other, or modules of this kind cannot be merged.
        """
        ...
