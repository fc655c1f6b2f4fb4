"""Runs whose phases get seeded random weights in the place of trained ones; all else is the pipeline's.

Packages, bundles and reports are made alike wherever weights come from: most of their tests need no training.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zlib import crc32

import torch
from torch import Tensor, nn

from lowres_stilts.display import Display
from lowres_stilts.encoder.load import Encoder
from lowres_stilts.modules.network import Network
from lowres_stilts.pipeline import phase, run
from lowres_stilts.recipe import Recipe
from lowres_stilts.tasks.batches import make_batch
from lowres_stilts.training.checkpoint import Progress
from lowres_stilts.training.loop import Report, Schedule, train
from lowres_stilts.training.plan import Job, Plan, make_plan

SIZE = 0.1
"""Standard deviation of what is added to initial weights: hidden states change clearly and stay finite."""


def write_run(recipe: Recipe, folder: Path, phases: str = "") -> dict[str, Any]:
    """The results of a run whose phases are written and not trained, all or those whose names begin so."""
    with written_phases(recipe.name, phases):
        return run(recipe, folder, display=Display(quiet=True))


@contextlib.contextmanager
def written_phases(seed: str, phases: str = "") -> Iterator[None]:
    """Meanwhile, phases whose names begin so are written; their weights differ by seed, phase and tasks."""

    def learn(*arguments: Any, checkpoint: Path, **options: Any) -> Progress:
        name = checkpoint.parent.name
        way = partial(_write, key=f"{seed} {name}") if name.startswith(phases) else train
        return way(*arguments, checkpoint=checkpoint, **options)

    with patch.object(phase, "train", learn):
        yield


def _write(
    network: Network,
    encoder: Encoder,
    module: Sequence[tuple[float, Mapping[str, nn.Parameter]]],
    jobs: Mapping[str, Job],
    schedule: Schedule,
    *,
    key: str,
    dev_score: Callable[[], float],
    report: Callable[[Report], None],
    seed: int,
    **_: Any,
) -> Progress:
    """Takes the place of `lowres_stilts.training.loop.train`, and tells of as many updates."""
    random = torch.Generator().manual_seed(crc32(f"{key} {' '.join(jobs)}".encode()))
    learned = {name: value for _, group in module for name, value in group.items()}
    with torch.no_grad():
        for name, parameter in (learned | network.head_weights()).items():
            parameter.copy_(_moved(name, parameter, random))
        _balance(network, encoder, jobs)
    score = dev_score()
    updates = len(_plan(jobs, schedule, seed).updates)
    for number in range(1, updates + 1):
        report(Report(number, updates, 1 / number, schedule.head_lr, 1.0, score if number == updates else None))
    return Progress(updates, score, updates, seconds=float(updates), tokens=updates)


def _plan(jobs: Mapping[str, Job], schedule: Schedule, seed: int) -> Plan:
    return make_plan(
        jobs,
        epochs=schedule.epochs,
        tokens_per_batch=schedule.tokens_per_batch,
        accumulate=schedule.accumulate,
        evaluate_every=schedule.evaluate_every,
        seed=seed,
    )


def _balance(network: Network, encoder: Encoder, jobs: Mapping[str, Job]) -> None:
    """Has classifiers score all labels alike on average, or one would be the answer to everything."""
    for name, job in jobs.items():
        if job.task.family not in {"classification", "tagging"}:
            continue
        batch = make_batch(job.features, range(len(job.features)), encoder.pad_id)
        ids, mask = (torch.tensor(values, device=encoder.device) for values in (batch.ids, batch.mask))
        scores = network.eval()(name, ids, mask)
        kept = scores if scores.ndim == 2 else scores[mask.bool()]
        network.head_weights()[f"{name}.projection.bias"].sub_(kept.mean(0))


def _moved(name: str, weights: Tensor, random: torch.Generator) -> Tensor:
    """Weights with noise; norms stay norms."""
    initial = weights.detach().float().cpu()
    noise = SIZE * torch.randn(initial.shape, generator=random)
    return initial * (1 + noise) if "magnitude" in name else initial + noise
