"""Memory of the disguised card: which storages lie in it, how many bytes they are, and where it ends."""

import weakref
from typing import Any

import torch
from torch import Tensor

from tests.device.counts import line


class Storages:
    """A set of storages that forgets those that are freed."""

    def __init__(self) -> None:
        self.known: dict[int, Any] = {}
        """References by the number of Python's object for a storage."""

    def __contains__(self, tensor: Tensor) -> bool:
        return id(tensor.untyped_storage()) in self.known

    def add(self, tensor: Tensor) -> None:
        """Takes the storage of a tensor in."""
        storage = tensor.untyped_storage()
        key, size = id(storage), storage.nbytes()

        def freed(_: object) -> None:
            del self.known[key]
            self.gone(size)

        self.known[key] = weakref.ref(storage, freed)

    def gone(self, size: int) -> None:
        """Called with the bytes of a storage that is freed."""


class Memory(Storages):
    """The storages that lie on the card."""

    def __init__(self, size: int) -> None:
        """Takes the bytes that there are; `size` may be set later, at the moment when they are to run out."""
        super().__init__()
        self.size = size
        self.alive = self.peak = 0
        self.refused: list[str] = []
        """Lines that asked for more than there was."""

    def take(self, tensor: Tensor) -> None:
        """Puts a new tensor's storage on the card.

        Raises:
            torch.OutOfMemoryError: it does not fit.
        """
        if tensor in self:
            return
        wanted = tensor.untyped_storage().nbytes()
        if self.alive + wanted > self.size:
            self.refused.append(line())
            raise torch.OutOfMemoryError(
                f"CUDA out of memory. Tried to allocate {wanted} bytes; {self.alive} of {self.size} are in use."
            )
        self.add(tensor)
        self.alive += wanted
        self.peak = max(self.peak, self.alive)

    def gone(self, size: int) -> None:
        self.alive -= size
