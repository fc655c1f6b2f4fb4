"""Predictions of a network, in the order of the examples."""

from collections.abc import Callable, Iterator
from typing import Any

import torch

from lowres_stilts.encoder.load import Encoder
from lowres_stilts.modules.network import Network
from lowres_stilts.tasks.batches import make_batch, plan_batches
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.tasks.features import Features
from lowres_stilts.tasks.task import Task

Advance = Callable[[int], object]
"""Told how many examples are done."""


def predict(
    network: Network,
    encoder: Encoder,
    task: Task,
    features: Features,
    tokens_per_batch: int,
    advance: Advance = lambda _: None,
) -> list[Any]:
    """One prediction per example, in the family's form.

    Raises:
        torch.OutOfMemoryError: a batch does not fit; lower `tokens_per_batch`.
    """
    family = FAMILIES[task.family]
    predictions: list[Any] = [None] * len(features)
    network.eval()
    with torch.inference_mode():
        for examples in plan_batches(features, tokens_per_batch):
            batch = make_batch(features, examples, encoder.pad_id)
            ids = torch.from_numpy(batch.ids).to(encoder.device)
            scores = network(ids, torch.from_numpy(batch.mask).to(encoder.device)).cpu().numpy()
            for example, (start, end) in zip(examples, _spans(batch.widths), strict=True):
                predictions[example] = family.decode(task, features, int(example), scores[start:end])
            advance(len(examples))
    return predictions


def _spans(widths: Any) -> Iterator[tuple[int, int]]:
    start = 0
    for width in widths:
        yield start, start + int(width)
        start += int(width)
