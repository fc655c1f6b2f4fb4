"""Which batches of which tasks make up each update, and after which updates to look at the dev sets."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowres_stilts.tasks.batches import plan_batches
from lowres_stilts.tasks.features import Features
from lowres_stilts.tasks.task import Task


@dataclass(frozen=True)
class Job:
    """A task with its training features."""

    task: Task
    features: Features
    per_epoch: int
    """Examples of an epoch."""


@dataclass(frozen=True)
class Portion:
    """A batch of one task."""

    task: str
    examples: NDArray[np.int64]


@dataclass(frozen=True)
class Plan:
    """The batches of every update, and the updates after which to look."""

    updates: list[tuple[Portion, ...]]
    looks: frozenset[int]


def make_plan(
    jobs: Mapping[str, Job],
    *,
    epochs: int,
    tokens_per_batch: int,
    accumulate: int,
    evaluate_every: int | None,
    seed: int,
) -> Plan:
    """Batches of one task each, in random order; the same for the same seed.

    Args:
        jobs: what to train, by task.
        epochs: passes.
        tokens_per_batch: most tokens of a batch, padding counted in.
        accumulate: batches per update.
        evaluate_every: updates between two looks; once an epoch where it is None.
        seed: orders examples and batches.
    """
    updates: list[tuple[Portion, ...]] = []
    looks = set()
    for epoch in range(epochs):
        rng = np.random.default_rng([seed, epoch])
        portions = [
            portion
            for name, job in jobs.items()
            for portion in _portions(name, job, epoch, tokens_per_batch, seed)
        ]
        if len(jobs) > 1:
            rng.shuffle(portions)
        updates += [tuple(portions[start : start + accumulate]) for start in range(0, len(portions), accumulate)]
        looks.add(len(updates))
    if evaluate_every:
        looks = {*range(evaluate_every, len(updates), evaluate_every), len(updates)}
    return Plan(updates, frozenset(looks))


def _portions(name: str, job: Job, epoch: int, tokens_per_batch: int, seed: int) -> list[Portion]:
    rng = np.random.default_rng([seed, epoch])
    chosen = None if job.per_epoch == len(job.features) else _drawn(job, epoch, seed)
    return [Portion(name, batch) for batch in plan_batches(job.features, tokens_per_batch, rng, chosen)]


def _drawn(job: Job, epoch: int, seed: int) -> NDArray[np.int64]:
    """This epoch's examples: permutations one after the other, so that none comes again before all have come."""
    size = len(job.features)
    first, last = epoch * job.per_epoch, (epoch + 1) * job.per_epoch
    rounds = range(first // size, (last - 1) // size + 1)
    drawn = np.concatenate([np.random.default_rng([seed, 1, number]).permutation(size) for number in rounds])
    start = first - rounds[0] * size
    return drawn[start : start + job.per_epoch]
