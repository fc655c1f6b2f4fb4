"""The training loop of a phase: one for both phases, all families and all kinds of module.

It is our own rather than transformers' Trainer, since Trainer writes checkpoints in place (a kill in the middle
leaves half of one), plans batches by count and not by tokens, averages the loss over batches of unequal size,
and trains bfloat16 weights without float32 originals. Accelerate would only place one model on one device here.
"""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from lowres_stilts.encoder.load import Encoder
from lowres_stilts.errors import TrainingError
from lowres_stilts.modules.network import Network
from lowres_stilts.tasks.batches import Batch, make_batch
from lowres_stilts.tasks.features import UNLABELLED
from lowres_stilts.tasks.task import Task
from lowres_stilts.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from lowres_stilts.training.loss import summed_loss
from lowres_stilts.training.optimizer import MasterAdamW
from lowres_stilts.training.plan import Job, Portion, make_plan


@dataclass(frozen=True)
class Schedule:
    """How long, how fast and in what portions to train."""

    epochs: int
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
    module: Sequence[tuple[float, Mapping[str, nn.Parameter]]],
    jobs: Mapping[str, Job],
    schedule: Schedule,
    *,
    dev_score: Callable[[], float],
    checkpoint: Path,
    seed: int,
    report: Callable[[Report], None] = lambda _: None,
) -> Progress:
    """Trains the module and the network's heads, keeping the weights that are best on the dev sets.

    Goes on from `checkpoint` where it exists; the outcome is then the same as without the interruption.

    Args:
        network: encoder, active modules, heads.
        encoder: its device and padding.
        module: the module's trainable parameters by name, in groups with their learning rates.
        jobs: the tasks to train, by name.
        schedule: how to train.
        dev_score: points on the dev sets, for the network as it is.
        checkpoint: the file to write the state to.
        seed: orders the batches.
        report: called after every update.

    Raises:
        TrainingError: the loss is not a finite number.
        RunError: a checkpoint cannot be read or written.
    """
    plan = make_plan(
        jobs,
        epochs=schedule.epochs,
        tokens_per_batch=schedule.tokens_per_batch,
        accumulate=schedule.accumulate,
        evaluate_every=schedule.evaluate_every,
        seed=seed,
    )
    heads = {f"head.{name}": parameter for name, parameter in network.head_weights().items()}
    optimizer = MasterAdamW(
        [*module, (schedule.head_lr, heads)],
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
        loss, tokens = _update(network, encoder, jobs, plan.updates[progress.update], optimizer, progress)
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


def _update(
    network: Network,
    encoder: Encoder,
    jobs: Mapping[str, Job],
    portions: Sequence[Portion],
    optimizer: MasterAdamW,
    progress: Progress,
) -> tuple[float, int]:
    """One step of the optimizer; returns the mean loss and the number of tokens."""
    network.train()
    batches = [make_batch(jobs[portion.task].features, portion.examples, encoder.pad_id) for portion in portions]
    shares = _shares(portions, batches)
    total = 0.0
    for portion, batch, share in zip(portions, batches, shares, strict=True):
        loss = batch_loss(network, encoder, jobs[portion.task].task, batch) * share
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.accumulate()
        total += loss.item()
    if not math.isfinite(total):
        raise TrainingError(
            f"the loss of update {progress.update + 1} is {total}; lower train.lr, or set model.compute: float32"
        )
    optimizer.step(progress.update)
    return total, int(sum(batch.mask.sum() for batch in batches))


def batch_loss(network: Network, encoder: Encoder, task: Task, batch: Batch) -> Tensor:
    """The loss of a batch, summed over what is labelled."""
    ids, mask, labels = (
        torch.from_numpy(array).to(encoder.device) for array in (batch.ids, batch.mask, batch.labels)
    )
    if task.family == "mlm":
        hidden = labels != UNLABELLED
        return network.vocabulary_head(task.name).loss(network.states(ids, mask)[hidden], labels[hidden])
    return summed_loss(task.family, network(task.name, ids, mask), labels, mask, batch.widths)


def _shares(portions: Sequence[Portion], batches: Sequence[Batch]) -> list[float]:
    """What one label of each batch weighs in the update's loss.

    Tasks count by their examples, not by their labels: a sentence to tag has many.
    """
    examples: dict[str, int] = defaultdict(int)
    labels: dict[str, int] = defaultdict(int)
    for portion, batch in zip(portions, batches, strict=True):
        examples[portion.task] += len(portion.examples)
        labels[portion.task] += batch.labelled
    whole = sum(examples.values())
    return [examples[portion.task] / whole / max(1, labels[portion.task]) for portion in portions]


def _remember(progress: Progress, score: float, optimizer: MasterAdamW) -> None:
    if progress.best_score is None or score > progress.best_score:
        progress.best_score, progress.best_update, progress.looks = score, progress.update, 0
        progress.best_weights = {name: value.clone() for name, value in optimizer.weights().items()}
    else:
        progress.looks += 1


def _out_of_patience(progress: Progress, schedule: Schedule) -> bool:
    return schedule.patience is not None and progress.looks >= schedule.patience
