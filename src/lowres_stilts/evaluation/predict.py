"""Predictions of a network, in the order of the examples."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lowres_stilts.encoder.device import is_out_of_memory, release_cached_memory
from lowres_stilts.encoder.load import Encoder
from lowres_stilts.encoder.send import send_batch
from lowres_stilts.modules.network import Network
from lowres_stilts.tasks.batches import make_batch, plan_batches
from lowres_stilts.tasks.families import DECODERS
from lowres_stilts.tasks.features import UNLABELLED, Features
from lowres_stilts.tasks.task import Task

Advance = Callable[[int], object]
"""Told how many examples are done."""
Keep = Callable[[int, NDArray[np.float32]], object]
"""Given the index of an example and its scores, `[sequences, length or 1, outputs]`."""


def predict(
    network: Network,
    encoder: Encoder,
    task: Task,
    examples: Sequence[Any],
    features: Features,
    tokens_per_batch: int,
    advance: Advance = lambda _: None,
    keep: Keep = lambda _index, _scores: None,
) -> list[Any]:
    """One prediction per example, in the family's form.

    Args:
        network: with a head for the task.
        encoder: its device and padding.
        task: what to predict.
        examples: in order.
        features: of the examples.
        tokens_per_batch: most tokens of a batch.
        advance: told of every batch.
        keep: given the scores of every example.

    Raises:
        torch.OutOfMemoryError: memory does not even hold one example.
    """
    family = DECODERS[task.family]
    predictions: list[Any] = [None] * len(features)
    network.eval()
    with torch.inference_mode():
        for chosen in plan_batches(features, tokens_per_batch):
            for index, scores in _scored(network, encoder, task, features, chosen):
                keep(index, scores)
                predictions[index] = family.decode(task, examples[index], features, index, scores)
            advance(len(chosen))
    return predictions


def _scored(
    network: Network, encoder: Encoder, task: Task, features: Features, chosen: NDArray[np.int64]
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Examples and their scores; in halves where memory does not hold all of them at once."""
    try:
        batch = make_batch(features, chosen, encoder.pad_id)
        ids, mask = send_batch(encoder, batch.ids, batch.mask)
        scores = network(task.name, ids, mask).cpu().numpy()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error) or len(chosen) == 1:
            raise
        scores = None
    if scores is not None:
        for index, (start, end) in zip(chosen.tolist(), _spans(batch.widths), strict=True):
            yield index, scores[start:end]
        return
    release_cached_memory()
    for half in np.array_split(chosen, 2):
        yield from _scored(network, encoder, task, features, half)


def hidden_token_accuracy(
    network: Network, encoder: Encoder, task: Task, features: Features, tokens_per_batch: int
) -> float:
    """Points: how many of the hidden tokens the vocabulary head restores."""
    right = total = 0
    network.eval()
    with torch.inference_mode():
        for chosen in plan_batches(features, tokens_per_batch):
            batch = make_batch(features, chosen, encoder.pad_id)
            ids, mask, labels = send_batch(encoder, batch.ids, batch.mask, batch.labels)
            hidden = labels != UNLABELLED
            found = network.vocabulary_head(task.name).best(network.states(ids, mask)[hidden])
            right += int((found == labels[hidden]).sum())
            total += int(hidden.sum())
    return 100 * right / max(1, total)


def _spans(widths: Any) -> Iterator[tuple[int, int]]:
    start = 0
    for width in widths:
        yield start, start + int(width)
        start += int(width)
