"""One step of the optimizer, in as many parts as memory wants."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from lowres_stilts.encoder.device import is_out_of_memory, release_cached_memory
from lowres_stilts.encoder.load import Encoder
from lowres_stilts.encoder.send import send_batch
from lowres_stilts.errors import TrainingError
from lowres_stilts.modules.network import Network
from lowres_stilts.modules.split import upper_states
from lowres_stilts.tasks.batches import Batch, make_batch, plan_batches
from lowres_stilts.tasks.features import UNLABELLED
from lowres_stilts.training.loss import summed_loss
from lowres_stilts.training.lower import LowerStates
from lowres_stilts.training.optimizer import MasterAdamW
from lowres_stilts.training.plan import Job, Portion
from lowres_stilts.training.team import ALONE, Team, sum_gradients

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
    team: Team = ALONE
    """The processes that share every update."""

    def update(self, portions: Sequence[Portion], number: int) -> tuple[float, int]:
        """Update `number`, counted from 0; returns the mean loss and the number of tokens.

        Where memory runs out, the update is begun anew with batches of half the size: it is the same in the end.

        Raises:
            TrainingError: the loss is not a finite number.
            torch.OutOfMemoryError: memory does not even hold one example.
            RunError: another process of the team has ended.
        """
        self.network.train()
        whole = [
            (portion.task, make_batch(self.jobs[portion.task].features, portion.examples, self.encoder.pad_id))
            for portion in portions
        ]
        while True:
            total = self._accumulated(self._parts(whole, self.team), _shares(whole))
            total = sum_gradients(self.team, list(self.optimizer.masters.values()), total)
            if total is not None:
                break
            self._halve(whole)
            self.optimizer.forget_gradients()
        if not math.isfinite(total):
            raise TrainingError(
                f"the loss of update {number + 1} is {total}; lower train.lr, or set model.compute: float32"
            )
        self.optimizer.step(number)
        return total, int(sum(batch.mask.sum() for _, batch in whole))

    def _parts(self, whole: Sequence[Part], team: Team) -> Iterator[Part]:
        """A process's share of an update: batches as they are, or cut into some that memory holds."""
        for task, batch in whole:
            features, examples = self.jobs[task].features, team.share(batch.examples)
            if not len(examples):
                continue
            own = batch if team.size == 1 else make_batch(features, examples, self.encoder.pad_id)
            if self.tokens_at_once is None or own.ids.size <= self.tokens_at_once:
                yield task, own
                continue
            for chosen in plan_batches(features, self.tokens_at_once, chosen=examples):
                yield task, make_batch(features, chosen, self.encoder.pad_id)

    def _accumulated(self, parts: Iterable[Part], shares: Mapping[str, float]) -> float | None:
        """The loss of an update's parts, whose gradients are added up; None where memory ran out."""
        total: Tensor | float = 0.0
        try:
            for task, batch in parts:
                loss = self.loss(task, batch) * shares[task]
                loss.backward()  # type: ignore[no-untyped-call]
                self.optimizer.accumulate()
                total = total + loss.detach()
            total = float(total)  # here alone a GPU is waited for
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        else:
            return total
        # Behind the clause above, since the error holds on to the tensors of the failed attempt.
        self.optimizer.forget_gradients()
        release_cached_memory()
        return None

    def _halve(self, whole: Sequence[Part]) -> None:
        """Has half of the largest part of any process computed at once, the same in all of them."""
        teams = [Team(rank, self.team.size) for rank in range(self.team.size)]
        parts = [batch for team in teams for _, batch in self._parts(whole, team)]
        divisible = [batch.ids.size for batch in parts if len(batch.examples) > 1]
        if not divisible:
            raise torch.OutOfMemoryError("memory does not even hold one example")
        self.tokens_at_once = max(divisible) // 2

    def loss(self, task: str, batch: Batch) -> Tensor:
        """The loss of a batch, summed over what is labelled."""
        family = self.jobs[task].task.family
        # From the CPU's copy: a GPU would have to be waited for to tell how many there are.
        hidden = np.nonzero(batch.labels != UNLABELLED) if family == "mlm" else ()
        ids, mask, labels, *places = send_batch(self.encoder, batch.ids, batch.mask, batch.labels, *hidden)
        states = self._states(task, batch, ids, mask)
        if family == "mlm":
            where = tuple(places)
            return self.network.vocabulary_head(task).loss(states[where], labels[where])
        return summed_loss(family, self.network(task, ids, mask, states), labels, mask, batch.widths)

    def _states(self, task: str, batch: Batch, ids: Tensor, mask: Tensor) -> Tensor:
        if task not in self.lower:
            return self.network.states(ids, mask)
        lower = self.lower[task]
        below = lower.states(batch, ids, mask)
        return upper_states(self.network.encoder, self.encoder.model, ids, mask, lower.layers, below)


def _shares(parts: Sequence[Part]) -> dict[str, float]:
    """What one label of each task weighs in the update's loss.

    Tasks count by their examples, not by their labels: a sentence to tag has many.
    """
    examples: dict[str, int] = defaultdict(int)
    labels: dict[str, int] = defaultdict(int)
    for task, batch in parts:
        examples[task] += len(batch.examples)
        labels[task] += batch.labelled
    whole = sum(examples.values())
    return {task: count / whole / max(1, labels[task]) for task, count in examples.items()}
