"""Batches by a budget of tokens: sequences of like length together, so that little is padding."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray


def batches(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Which sequences go together, longest first; none is more than `tokens` with its padding, unless it is one.

    Args:
        lengths: of the sequences.
        tokens: most tokens of a batch, padding counted in.
    """
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    start = 0
    while start < len(order):
        count = max(1, tokens // lengths[order[start]])
        yield order[start : start + count]
        start += count


def padded(sequences: Sequence[Sequence[int]], pad_id: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids and mask, `[sequences, length]` both."""
    length = max(map(len, sequences))
    ids = np.full((len(sequences), length), pad_id, np.int64)
    mask = np.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = 1
    return ids, mask
