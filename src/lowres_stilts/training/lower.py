"""Hidden states of frozen lower layers: computed in the first epoch, read from disk in the others."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from lowres_stilts.encoder.load import Encoder
from lowres_stilts.modules.split import is_noisy, lower_states, lowest_trained_layer
from lowres_stilts.storage import storage_errors
from lowres_stilts.tasks.batches import Batch
from lowres_stilts.tasks.features import Features

LARGEST_SHARE_OF_DISK = 0.5


@dataclass(frozen=True)
class LowerStates:
    """The states of every token of a task after the first layers, in a file, and which sequences have theirs."""

    path: Path
    layers: int
    """How many layers lie below."""
    features: Features
    encoder: Encoder
    run: nn.Module
    """What is called like the encoder."""

    def states(self, batch: Batch, ids: Tensor, mask: Tensor) -> Tensor:
        """`[sequences, length, hidden]` for a batch: read where all are known, else computed and kept.

        Raises:
            RunError: the disk is full.
        """
        found = [self._read(row) for row in batch.rows.tolist()]
        known = [states for states in found if states is not None]
        if len(known) == len(found):
            padded = torch.nn.utils.rnn.pad_sequence(known, batch_first=True)
            return padded.to(self.encoder.device, non_blocking=True)
        states = lower_states(self.run, self.encoder.model, ids, mask, self.layers)
        lengths = mask.sum(1).tolist()
        with storage_errors(self.path):
            for row, values, length in zip(batch.rows.tolist(), states.cpu(), lengths, strict=True):
                self._write(row, values[:length])
        return states

    def _read(self, row: int) -> Tensor | None:
        start, size = self._place(row)
        with self.path.open("rb") as file:
            if os.pread(file.fileno(), 1, self._flag(row)) != b"\1":
                return None
            values = bytearray(os.pread(file.fileno(), size, start))
        return torch.frombuffer(values, dtype=self.encoder.dtype).view(-1, self.encoder.hidden_size)

    def _write(self, row: int, values: Tensor) -> None:
        start, _ = self._place(row)
        with self.path.open("r+b") as file:
            os.pwrite(file.fileno(), values.contiguous().view(torch.uint8).numpy().tobytes(), start)
            os.pwrite(file.fileno(), b"\1", self._flag(row))

    def _place(self, row: int) -> tuple[int, int]:
        """Where the states of a sequence start, and their bytes."""
        start, end = (int(place) for place in self.features.sequences[row : row + 2])
        width = _token_bytes(self.encoder)
        return start * width, (end - start) * width

    def _flag(self, row: int) -> int:
        return int(self.features.sequences[-1]) * _token_bytes(self.encoder) + row


def reusable_states(path: Path, features: Features, encoder: Encoder, run: nn.Module) -> LowerStates | None:
    """The states of a task below all that learns; None if there are none, or random ones, or too little disk.

    A file that an interrupted phase left is gone on with.

    Raises:
        RunError: the file cannot be made.
    """
    layers = lowest_trained_layer(run)
    if layers == 0 or is_noisy(encoder.model, layers):
        return None
    size = int(features.sequences[-1]) * _token_bytes(encoder) + len(features.sequences) - 1
    if path.exists() and path.stat().st_size == size:
        return LowerStates(path, layers, features, encoder, run)
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if size > LARGEST_SHARE_OF_DISK * shutil.disk_usage(path.parent).free:
            return None
        with path.open("wb") as file:
            file.truncate(size)
    return LowerStates(path, layers, features, encoder, run)


def _token_bytes(encoder: Encoder) -> int:
    return encoder.hidden_size * encoder.dtype.itemsize
