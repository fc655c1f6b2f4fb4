"""The scores of a network that is always right, from the labels in the features."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowres_stilts.tasks.batches import Batch, make_batch, plan_batches
from lowres_stilts.tasks.families import DECODERS
from lowres_stilts.tasks.features import UNLABELLED, Features
from lowres_stilts.tasks.task import Task


def oracle_predictions(
    task: Task, examples: Sequence[Any], features: Features, tokens_per_batch: int = 64
) -> list[Any]:
    """Decodes perfect scores batch by batch, in the way that `evaluation.predict` does."""
    family = DECODERS[task.family]
    predictions: list[Any] = [None] * len(features)
    for index, scores in oracle_scores(task, features, tokens_per_batch).items():
        predictions[index] = family.decode(task, examples[index], features, index, scores)
    return predictions


def oracle_scores(task: Task, features: Features, tokens_per_batch: int = 64) -> dict[int, NDArray[np.float32]]:
    """The perfect scores of every example, padded as its batch is."""
    found = {}
    for chosen in plan_batches(features, tokens_per_batch):
        batch = make_batch(features, chosen, pad_id=1)
        scores = _scores(task, features, batch)
        assert scores.shape[-1] == DECODERS[task.family].outputs(task)
        ends = np.cumsum(batch.widths)
        for example, start, end in zip(chosen.tolist(), ends - batch.widths, ends, strict=True):
            found[example] = scores[start:end]
    return found


def _scores(task: Task, features: Features, batch: Batch) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    if task.family == "multiple_choice":
        answers = zip(batch.widths, batch.labels, strict=True)
        right = np.concatenate([np.arange(width) == label for width, label in answers])
        return (rng.random((len(batch.ids), 1)) + 2 * right[:, None]).astype(np.float32)
    if task.family == "qa":
        return _answer_scores(features, batch, rng)
    noise = rng.random((*batch.labels.shape, len(task.labels)))
    right = batch.labels[..., None] == np.arange(len(task.labels))
    # Tokens without a label, padding among them, want a random one all the louder.
    loud = np.where(batch.labels == UNLABELLED, 100, 1)[..., None]
    return (loud * noise + 2 * right).astype(np.float32)


def _answer_scores(features: Features, batch: Batch, rng: np.random.Generator) -> NDArray[np.float32]:
    scores = rng.random((*batch.ids.shape, 2))
    sequences = [
        sequence
        for example in batch.examples
        for sequence in range(features.examples[example], features.examples[example + 1])
    ]
    for row, sequence in enumerate(sequences):
        start, end = features.sequences[sequence], features.sequences[sequence + 1]
        # Padding and the question's tokens are loud: they must never be an answer.
        loud = np.ones(batch.ids.shape[1], np.bool_)
        loud[: end - start] = features.offsets[start:end, 0] < 0
        loud[0] = False
        scores[row, loud] *= 100
        if batch.labels[row, 0] != UNLABELLED:
            scores[row, batch.labels[row], [0, 1]] += 2
    return scores.astype(np.float32)
