"""One step of the optimizer, in as many parts as memory wants."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from lowres_stilts.encoder.device import is_out_of_memory, release_cached_memory
from lowres_stilts.encoder.load import Encoder
from lowres_stilts.errors import TrainingError
from lowres_stilts.modules.network import Network
from lowres_stilts.modules.split import upper_states
from lowres_stilts.tasks.batches import Batch, make_batch, plan_batches
from lowres_stilts.tasks.features import UNLABELLED
from lowres_stilts.training.loss import summed_loss
from lowres_stilts.training.lower import LowerStates
from lowres_stilts.training.optimizer import MasterAdamW
from lowres_stilts.training.plan import Job, Portion

Part = tuple[str, Batch]
"""A batch of a task."""


@dataclass
class Updater:
    """What every update works with."""

    network: Network
    encoder: Encoder
    jobs: Mapping[str, Job]
    optimizer: MasterAdamW
    lower: Mapping[str, LowerStates] = field(default_factory=dict)
    """By task, where lower layers are computed once."""
    tokens_at_once: int | None = None
    """Larger batches are computed in parts; it is halved when memory runs out."""

    def update(self, portions: Sequence[Portion], number: int) -> tuple[float, int]:
        """Update `number`, counted from 0; returns the mean loss and the number of tokens.

        Where memory runs out, the update is begun anew with batches of half the size: it is the same in the end.

        Raises:
            TrainingError: the loss is not a finite number.
            torch.OutOfMemoryError: memory does not even hold one example.
        """
        self.network.train()
        while True:
            parts = [part for portion in portions for part in self._parts(portion)]
            try:
                total = self._accumulated(parts, number)
            except (RuntimeError, MemoryError) as error:
                divisible = [batch.ids.size for _, batch in parts if len(batch.examples) > 1]
                if not is_out_of_memory(error) or not divisible:
                    raise
                self.tokens_at_once = max(divisible) // 2
            else:
                self.optimizer.step(number)
                return total, int(sum(batch.mask.sum() for _, batch in parts))
            # Behind the clause above, since the error holds on to the tensors of the failed attempt.
            self.optimizer.forget_gradients()
            release_cached_memory()

    def _parts(self, portion: Portion) -> Iterator[Part]:
        """A portion as it is, or cut into batches that memory holds."""
        features = self.jobs[portion.task].features
        batch = make_batch(features, portion.examples, self.encoder.pad_id)
        if self.tokens_at_once is None or batch.ids.size <= self.tokens_at_once:
            yield portion.task, batch
            return
        for examples in plan_batches(features, self.tokens_at_once, chosen=portion.examples):
            yield portion.task, make_batch(features, examples, self.encoder.pad_id)

    def _accumulated(self, parts: Sequence[Part], number: int) -> float:
        total = 0.0
        for (task, batch), share in zip(parts, _shares(parts), strict=True):
            loss = self.loss(task, batch) * share
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.accumulate()
            total += loss.item()
        if not math.isfinite(total):
            raise TrainingError(
                f"the loss of update {number + 1} is {total}; lower train.lr, or set model.compute: float32"
            )
        return total

    def loss(self, task: str, batch: Batch) -> Tensor:
        """The loss of a batch, summed over what is labelled."""
        ids, mask, labels = (
            torch.from_numpy(array).to(self.encoder.device) for array in (batch.ids, batch.mask, batch.labels)
        )
        states = self._states(task, batch, ids, mask)
        family = self.jobs[task].task.family
        if family == "mlm":
            # From the CPU's copy: a GPU would have to be waited for to tell how many there are.
            hidden = tuple(
                torch.from_numpy(where).to(ids.device) for where in np.nonzero(batch.labels != UNLABELLED)
            )
            return self.network.vocabulary_head(task).loss(states[hidden], labels[hidden])
        return summed_loss(family, self.network(task, ids, mask, states), labels, mask, batch.widths)

    def _states(self, task: str, batch: Batch, ids: Tensor, mask: Tensor) -> Tensor:
        if task not in self.lower:
            return self.network.states(ids, mask)
        lower = self.lower[task]
        below = lower.states(batch, ids, mask)
        return upper_states(self.network.encoder, self.encoder.model, ids, mask, lower.layers, below)


def _shares(parts: Sequence[Part]) -> list[float]:
    """What one label of each batch weighs in the update's loss.

    Tasks count by their examples, not by their labels: a sentence to tag has many.
    """
    examples: dict[str, int] = defaultdict(int)
    labels: dict[str, int] = defaultdict(int)
    for task, batch in parts:
        examples[task] += len(batch.examples)
        labels[task] += batch.labelled
    whole = sum(examples.values())
    return [examples[task] / whole / max(1, labels[task]) for task, _ in parts]
