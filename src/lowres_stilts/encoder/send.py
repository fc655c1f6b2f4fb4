"""Batches on their way to the encoder's device."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowres_stilts.encoder.load import Encoder
from lowres_stilts.encoder.packing import Foreseen, Layout, foresee, wants_rows


def send(arrays: Sequence[NDArray[np.int64]], device: torch.device) -> list[Tensor]:
    """Arrays as tensors on a device, in one transfer for which a GPU is not waited."""
    if device.type == "cpu":
        return [torch.from_numpy(array) for array in arrays]
    flat = torch.from_numpy(np.concatenate([array.ravel() for array in arrays]))
    there = (flat.pin_memory() if device.type == "cuda" else flat).to(device, non_blocking=True)
    parts = torch.split(there, [array.size for array in arrays])
    return [part.view(array.shape) for part, array in zip(parts, arrays, strict=True)]


def send_batch(
    encoder: Encoder, ids: NDArray[np.int64], mask: NDArray[np.int64], *others: NDArray[np.int64]
) -> list[Tensor]:
    """Ids and mask `[sequences, length]` and other arrays, and word to the encoder where the tokens are."""
    padded = not bool(mask.all())
    if not wants_rows(encoder.device, encoder.dtype, padded=padded):
        foresee(encoder.model, Foreseen(mask.shape, None))
        return send((ids, mask, *others), encoder.device)
    places, starts = np.flatnonzero(mask), np.concatenate([[0], mask.sum(1).cumsum()])
    *sent, at, start = send((ids, mask, *others, places, starts), encoder.device)
    layout = Layout(sent[1] != 0, at, start.to(torch.int32))
    foresee(encoder.model, Foreseen(mask.shape, layout))
    return sent
