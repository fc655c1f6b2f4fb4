"""The training loop of a phase: one for both phases, all families and all kinds of module.

It is our own rather than transformers' Trainer, since Trainer writes checkpoints in place (a kill in the middle
leaves half of one), plans batches by count and not by tokens, averages the loss over batches of unequal size,
and trains bfloat16 weights without float32 originals. Accelerate would only place one model on one device here.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lowres_stilts.encoder.load import Encoder
from lowres_stilts.errors import TrainingError
from lowres_stilts.modules.network import Network
from lowres_stilts.tasks.batches import make_batch, plan_batches
from lowres_stilts.tasks.features import Features
from lowres_stilts.tasks.task import Task
from lowres_stilts.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from lowres_stilts.training.loss import summed_loss
from lowres_stilts.training.optimizer import MasterAdamW


@dataclass(frozen=True)
class Schedule:
    """How long, how fast and in what portions to train."""

    epochs: int
    lr: float
    head_lr: float
    tokens_per_batch: int
    accumulate: int
    warmup: float
    weight_decay: float
    clip_norm: float
    evaluate_every: int | None
    patience: int | None
    checkpoint_every: int
    gradient_checkpointing: bool


@dataclass(frozen=True)
class Report:
    """What is told after every update."""

    update: int
    updates: int
    loss: float
    """Mean over the labels of this update."""
    tokens_per_second: float
    dev_score: float | None
    """Where the dev set was looked at."""


def train(
    network: Network,
    encoder: Encoder,
    module: Mapping[str, nn.Parameter],
    task: Task,
    features: Features,
    schedule: Schedule,
    *,
    dev_score: Callable[[], float],
    checkpoint: Path,
    seed: int,
    report: Callable[[Report], None] = lambda _: None,
) -> Progress:
    """Trains the module and the network's head, keeping the weights that are best on the dev set.

    Goes on from `checkpoint` where it exists; the outcome is then the same as without the interruption.

    Args:
        network: encoder, active modules, head.
        encoder: its device and padding.
        module: the module's trainable parameters by name.
        task: the task of the features.
        features: the training examples.
        schedule: how to train.
        dev_score: points on the English dev set, for the network as it is.
        checkpoint: the file to write the state to.
        seed: orders the batches.
        report: called after every update.

    Raises:
        TrainingError: the loss is not a finite number.
        RunError: a checkpoint cannot be read or written.
    """
    plan = _Plan.of(features, schedule, seed)
    head = {f"head.{name}": parameter for name, parameter in network.head.named_parameters()}
    optimizer = MasterAdamW(
        [(schedule.lr, dict(module)), (schedule.head_lr, head)],
        weight_decay=schedule.weight_decay,
        clip_norm=schedule.clip_norm,
        updates=len(plan.updates),
        warmup=schedule.warmup,
    )
    progress = load_checkpoint(checkpoint, optimizer) if checkpoint.exists() else Progress()
    if schedule.gradient_checkpointing:
        encoder.model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    while progress.update < len(plan.updates) and not _out_of_patience(progress, schedule):
        started = time.perf_counter()
        loss, tokens = _update(
            network, encoder, task, features, plan.updates[progress.update], optimizer, progress
        )
        seconds = time.perf_counter() - started
        progress.update += 1
        progress.seconds += seconds
        progress.tokens += tokens
        score = dev_score() if progress.update in plan.looks else None
        if score is not None:
            _remember(progress, score, optimizer)
        report(Report(progress.update, len(plan.updates), loss, tokens / seconds, score))
        if score is not None or progress.update % schedule.checkpoint_every == 0:
            save_checkpoint(checkpoint, progress, optimizer)
    if schedule.gradient_checkpointing:
        encoder.model.gradient_checkpointing_disable()
    optimizer.set_weights(progress.best_weights)
    return progress


@dataclass(frozen=True)
class _Plan:
    """The batches of every update, and after which updates to look at the dev set."""

    updates: list[tuple[NDArray[np.int64], ...]]
    looks: frozenset[int]

    @classmethod
    def of(cls, features: Features, schedule: Schedule, seed: int) -> "_Plan":
        updates: list[tuple[NDArray[np.int64], ...]] = []
        looks = set()
        for epoch in range(schedule.epochs):
            batches = plan_batches(features, schedule.tokens_per_batch, np.random.default_rng([seed, epoch]))
            starts = range(0, len(batches), schedule.accumulate)
            updates += [tuple(batches[start : start + schedule.accumulate]) for start in starts]
            looks.add(len(updates))
        if schedule.evaluate_every:
            looks = {*range(schedule.evaluate_every, len(updates), schedule.evaluate_every), len(updates)}
        return cls(updates, frozenset(looks))


def _update(
    network: Network,
    encoder: Encoder,
    task: Task,
    features: Features,
    examples: Sequence[NDArray[np.int64]],
    optimizer: MasterAdamW,
    progress: Progress,
) -> tuple[float, int]:
    """One step of the optimizer; returns the mean loss and the number of tokens."""
    network.train()
    batches = [make_batch(features, chosen, encoder.pad_id) for chosen in examples]
    labelled = max(1, sum(batch.labelled for batch in batches))
    total = 0.0
    for batch in batches:
        ids, mask, labels = (
            torch.from_numpy(array).to(encoder.device) for array in (batch.ids, batch.mask, batch.labels)
        )
        loss = summed_loss(task.family, network(ids, mask), labels, batch.widths) / labelled
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.accumulate()
        total += loss.item()
    if not math.isfinite(total):
        raise TrainingError(
            f"the loss of update {progress.update + 1} is {total}; lower train.lr, or set model.compute: float32"
        )
    optimizer.step(progress.update)
    return total, int(sum(batch.mask.sum() for batch in batches))


def _remember(progress: Progress, score: float, optimizer: MasterAdamW) -> None:
    if progress.best_score is None or score > progress.best_score:
        progress.best_score, progress.best_update, progress.looks = score, progress.update, 0
        progress.best_weights = {name: value.clone() for name, value in optimizer.weights().items()}
    else:
        progress.looks += 1


def _out_of_patience(progress: Progress, schedule: Schedule) -> bool:
    return schedule.patience is not None and progress.looks >= schedule.patience
