"""The training loop of a phase: one for both phases, all families and all kinds of module.

It is our own rather than transformers' Trainer, since Trainer writes checkpoints in place (a kill in the middle
leaves half of one), plans batches by count and not by tokens, averages the loss over batches of unequal size,
and trains bfloat16 weights without float32 originals. What processes say to each other goes through Accelerate
(`team.py`).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import nn
from torch.utils.checkpoint import checkpoint as computed_twice

from lowres_stilts.encoder.device import Heap, pack_memory, release_freed_memory
from lowres_stilts.encoder.load import Encoder
from lowres_stilts.modules.network import Network
from lowres_stilts.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from lowres_stilts.training.lower import LowerStates, reusable_states
from lowres_stilts.training.optimizer import MasterAdamW
from lowres_stilts.training.plan import Job, make_plan
from lowres_stilts.training.team import ALONE, Team
from lowres_stilts.training.threads import Threads
from lowres_stilts.training.update import Updater

LOWER_STATES = ".states"
"""How files with the states of lower layers end; they lie beside the checkpoint."""


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
    gradient_checkpointing: bool | int
    """In all layers, or in this many from the top."""
    tokens_at_once: int | None = None
    """Most tokens of a forward and backward pass; a larger batch takes several."""
    eight_bit: bool = False
    """Moments of the optimizer in 8 bits."""
    reuse_lower_layers: bool = False
    """Compute layers below all that learns in the first epoch only, and keep their states on disk."""


@dataclass(frozen=True)
class Report:
    """What is told after every update."""

    update: int
    updates: int
    loss: float
    """Mean over the labels of this update."""
    learning_rate: float
    """Of the module's first group of parameters."""
    tokens_per_second: float
    dev_score: float | None
    """Where the dev set was looked at."""
    tokens_at_once: int | None = None
    """Where batches are computed in parts."""
    one_thread_gain: float | None = None
    """How many times as fast one thread was as all of them, where it was taken for the rest."""


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
    team: Team = ALONE,
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
        team: the processes that train together; main alone calls `dev_score` and writes checkpoints.

    Raises:
        TrainingError: the loss is not a finite number.
        RunError: a checkpoint cannot be read or written, or another process of the team has ended.
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
        eight_bit=schedule.eight_bit,
    )
    progress = load_checkpoint(checkpoint, optimizer) if checkpoint.exists() else Progress()
    optimizer.set_weights(team.weights_of_main(optimizer.weights()))
    team.wait()  # all have looked for the checkpoint before main writes one
    at_once = progress.tokens_at_once or schedule.tokens_at_once
    updater = Updater(network, encoder, jobs, optimizer, tokens_at_once=at_once, team=team)
    if schedule.reuse_lower_layers and schedule.epochs > 1 and team.size == 1:
        updater.lower = _lower_states(network, encoder, jobs, checkpoint.parent)
    checkpoint_layers(encoder, schedule.gradient_checkpointing)
    if schedule.gradient_checkpointing:
        pack_memory(tightly=True)
    release_freed_memory()
    heap = Heap()
    with Threads(progress.threads, measured=encoder.device.type == "cpu" and team.size == 1) as threads:
        while progress.update < len(plan.updates) and not _out_of_patience(progress, schedule):
            started = time.perf_counter()
            team.draw_apart(seed, progress.update)
            threads.begin(progress.update)
            loss, tokens = updater.update(plan.updates[progress.update], progress.update)
            seconds = time.perf_counter() - started
            threads.end(progress.update, tokens, seconds)
            heap.after_update()
            progress.update += 1
            progress.seconds += seconds
            progress.tokens += tokens
            progress.tokens_at_once, progress.threads = updater.tokens_at_once, threads.taken
            score = team.from_main(dev_score) if progress.update in plan.looks else None
            if score is not None:
                _remember(progress, score, optimizer)
            done = (progress.update, len(plan.updates), loss, optimizer.learning_rate, tokens / seconds)
            report(Report(*done, score, progress.tokens_at_once, threads.gain if threads.fewer else None))
            if team.is_main and (score is not None or progress.update % schedule.checkpoint_every == 0):
                save_checkpoint(checkpoint, progress, optimizer)
    checkpoint_layers(encoder, wanted=False)
    if schedule.gradient_checkpointing:
        pack_memory(tightly=False)
    optimizer.set_weights(progress.best_weights)
    return progress


def _lower_states(
    network: Network, encoder: Encoder, jobs: Mapping[str, Job], folder: Path
) -> dict[str, LowerStates]:
    found = {
        name: reusable_states(folder / f"{number}{LOWER_STATES}", job.features, encoder, network.encoder)
        for number, (name, job) in enumerate(jobs.items())
    }
    return {name: states for name, states in found.items() if states is not None}


def checkpoint_layers(encoder: Encoder, wanted: bool | int) -> None:
    """Has all layers, or so many from the top, compute their activations anew in the backward pass."""
    layers = encoder.model.encoder.layer
    first = 0 if wanted is True else max(0, len(layers) - wanted)
    for number, layer in enumerate(layers):
        # What `gradient_checkpointing_enable` sets, which XLM-R XL does not allow though its layers know it.
        layer.gradient_checkpointing = number >= first
        layer._gradient_checkpointing_func = partial(computed_twice, use_reentrant=False)  # noqa: SLF001


def _remember(progress: Progress, score: float, optimizer: MasterAdamW) -> None:
    if progress.best_score is None or score > progress.best_score:
        progress.best_score, progress.best_update, progress.looks = score, progress.update, 0
        progress.best_weights = {name: value.clone() for name, value in optimizer.weights().items()}
    else:
        progress.looks += 1


def _out_of_patience(progress: Progress, schedule: Schedule) -> bool:
    return schedule.patience is not None and progress.looks >= schedule.patience
