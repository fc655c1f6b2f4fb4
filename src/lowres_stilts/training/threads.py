"""How many of torch's threads train on a CPU: one, where other programs make waiting for the rest slower."""

import os
from typing import Self

import torch

FASTER = 1.15
"""How many times as fast one thread must be to be taken in the place of all."""
TRIED = 6
"""Updates that are measured, in turns with all threads and with one; the one before them builds kernels."""


class Threads:
    """Measures a phase's first updates, and takes the number that was faster for the rest.

    Torch has all its threads again in the end. A number that OMP_NUM_THREADS sets is kept. The last bits of what
    threads compute depend on their number.
    """

    def __init__(self, taken: int | None = None, *, measured: bool = True) -> None:
        """Knows nothing yet.

        Args:
            taken: how many a phase took before it was interrupted.
            measured: whether to choose; on a GPU threads have little to do, and a team has its own.
        """
        self.all = torch.get_num_threads()
        self._spent: dict[int, tuple[int, float]] = {}
        given = not measured or self.all == 1 or "OMP_NUM_THREADS" in os.environ
        self.taken = self.all if given else taken
        """None as long as it is not known."""

    def begin(self, update: int) -> None:
        """Sets the threads for an update, the first of which is 0."""
        alone = self.taken is None and update > 0 and update % 2 == 0
        torch.set_num_threads(1 if alone else min(self.taken or self.all, self.all))

    def end(self, update: int, tokens: int, seconds: float) -> None:
        """Takes note of what an update took."""
        if self.taken is not None or update == 0:
            return
        count = torch.get_num_threads()
        before = self._spent.get(count, (0, 0.0))
        self._spent[count] = before[0] + tokens, before[1] + seconds
        if update >= TRIED:
            self.taken = 1 if self.gain > FASTER else self.all

    @property
    def fewer(self) -> bool:
        """Whether one was found to be faster."""
        return self.taken is not None and self.taken < self.all

    @property
    def gain(self) -> float:
        """How many times as fast one thread is as all, where both were measured; otherwise 1."""
        if len(self._spent) < 2:
            return 1.0
        (alone, alone_seconds), (together, together_seconds) = self._spent[1], self._spent[self.all]
        return (alone / alone_seconds) / (together / together_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        torch.set_num_threads(self.all)
