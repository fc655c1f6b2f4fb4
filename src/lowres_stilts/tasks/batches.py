"""Batches by a budget of tokens: examples of like length together, so that little is padding."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowres_stilts.tasks.features import UNLABELLED, Features


@dataclass(frozen=True)
class Batch:
    """Padded sequences of a few examples."""

    examples: NDArray[np.int64]
    """Which examples, `[examples]`."""
    rows: NDArray[np.int64]
    """Which sequences of the features, `[sequences]`."""
    widths: NDArray[np.int64]
    """Sequences of each example, `[examples]`."""
    ids: NDArray[np.int64]
    """`[sequences, length]`."""
    mask: NDArray[np.int64]
    """1 where there is a token, `[sequences, length]`."""
    labels: NDArray[np.int64]
    """`[examples]`; `[sequences, length]` for tagging; `[sequences, 2]` for answers."""

    @property
    def labelled(self) -> int:
        """How many labels the loss averages over."""
        return int((self.labels != UNLABELLED).sum())


def plan_batches(
    features: Features,
    tokens_per_batch: int,
    rng: np.random.Generator | None = None,
    chosen: NDArray[np.int64] | None = None,
) -> list[NDArray[np.int64]]:
    """Example indices of each batch; every example once, or the chosen ones.

    Examples are sorted by length and cut where the padded batch would pass the budget; an example that is
    larger than the budget stands alone.

    Args:
        features: the examples.
        tokens_per_batch: most tokens of a batch, padding counted in.
        rng: shuffles examples of equal length and the order of the batches; without it, longest first.
        chosen: which examples, maybe some several times; all of them where it is not given.
    """
    lengths, widths = features.lengths(), features.widths()
    order = np.arange(len(features)) if chosen is None else chosen
    order = order if rng is None else rng.permutation(order)
    order = order[np.argsort(-lengths[order], kind="stable")]
    batches: list[list[int]] = []
    longest = rows = 0
    for example in order:
        if batches and longest * (rows + widths[example]) <= tokens_per_batch:
            batches[-1].append(example)
            rows += widths[example]
        else:
            batches.append([example])
            longest, rows = lengths[example], widths[example]
    if rng is not None:
        rng.shuffle(batches)
    return [np.array(batch) for batch in batches]


def make_batch(features: Features, examples: Sequence[int] | NDArray[np.int64], pad_id: int) -> Batch:
    """The padded sequences of these examples."""
    chosen = np.asarray(examples)
    rows = np.concatenate([np.arange(features.examples[e], features.examples[e + 1]) for e in chosen])
    starts, ends = features.sequences[rows], features.sequences[rows + 1]
    length = int((ends - starts).max())
    ids = np.full((len(rows), length), pad_id, np.int64)
    mask = np.zeros_like(ids)
    per_token = features.labels_of == "token"
    if per_token:
        labels = np.full_like(ids, UNLABELLED)
    else:
        labels = features.labels[rows if features.labels_of == "sequence" else chosen].astype(np.int64)
    for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
        ids[row, : end - start] = features.ids[start:end]
        mask[row, : end - start] = 1
        if per_token:
            labels[row, : end - start] = features.labels[start:end]
    return Batch(chosen, rows, features.widths()[chosen], ids, mask, labels)
