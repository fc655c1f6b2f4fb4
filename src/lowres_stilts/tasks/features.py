"""Tokenized examples as flat arrays: small in memory, quick to save, ready to batch."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

UNLABELLED = -100
"""Stands where there is no label: torch's cross-entropy leaves it out."""


@dataclass(frozen=True)
class Features:
    """Examples, each of one or more sequences (choices of a prompt, windows of a sentence).

    Example `e` has the sequences `examples[e]:examples[e+1]`; sequence `s` has the tokens
    `ids[sequences[s]:sequences[s+1]]`.
    """

    ids: NDArray[np.int32]
    """Token ids, `[tokens]`."""
    sequences: NDArray[np.int64]
    """Where each sequence starts, and the end, `[sequences + 1]`."""
    examples: NDArray[np.int64]
    """The first sequence of each example, and the end, `[examples + 1]`."""
    labels: NDArray[np.int32]
    """`[examples]`, or `[tokens]` for tagging; `UNLABELLED` where there is none."""
    first_pieces: NDArray[np.bool_]
    """`[tokens]`: whether a token is the first piece of a word; empty except for tagging."""

    def __len__(self) -> int:
        return len(self.examples) - 1

    def lengths(self) -> NDArray[np.int64]:
        """Tokens of the longest sequence of each example, `[examples]`."""
        return np.maximum.reduceat(np.diff(self.sequences), self.examples[:-1]) if len(self) else np.zeros(0, int)

    def widths(self) -> NDArray[np.int64]:
        """Number of sequences of each example, `[examples]`."""
        return np.diff(self.examples)

    def save(self, path: Path) -> None:
        """Writes a compressed-free `.npz` file."""
        with path.open("wb") as handle:
            np.savez(handle, **{item.name: getattr(self, item.name) for item in fields(self)})

    @classmethod
    def load(cls, path: Path) -> "Features":
        """Reads what `save` wrote; never unpickles."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{item.name: arrays[item.name] for item in fields(cls)})


def pack(
    sequences_of: Sequence[Sequence[Sequence[int]]],
    labels: Sequence[int],
    first_pieces: Sequence[bool] = (),
) -> Features:
    """Features of nested token ids `[example][sequence][token]`."""
    flat = [ids for sequences in sequences_of for ids in sequences]
    return Features(
        ids=np.array([token for ids in flat for token in ids], dtype=np.int32),
        sequences=np.cumsum([0, *map(len, flat)], dtype=np.int64),
        examples=np.cumsum([0, *map(len, sequences_of)], dtype=np.int64),
        labels=np.array(labels, dtype=np.int32),
        first_pieces=np.array(first_pieces, dtype=np.bool_),
    )
