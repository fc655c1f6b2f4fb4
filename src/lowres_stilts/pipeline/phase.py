"""One phase of a run: trained, or taken up again, or loaded since it is done."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from lowres_stilts.display import Advance, Display
from lowres_stilts.encoder.load import Encoder
from lowres_stilts.evaluation.chance import score_of_one_answer
from lowres_stilts.modules.bottleneck import AdapterStack
from lowres_stilts.modules.heads import HeadLayout
from lowres_stilts.modules.network import Head, Network, make_head
from lowres_stilts.modules.stack import Stack
from lowres_stilts.pipeline import remarks
from lowres_stilts.pipeline.choice import Choice
from lowres_stilts.pipeline.dev import dev_set, max_length
from lowres_stilts.pipeline.folder import RunFolder
from lowres_stilts.pipeline.kept_head import TrainedHead
from lowres_stilts.pipeline.kinds import KINDS
from lowres_stilts.pipeline.training_set import TrainingSet
from lowres_stilts.recipe.module import ModuleSettings
from lowres_stilts.recipe.phases import FuseSettings
from lowres_stilts.recipe.training import TrainSettings
from lowres_stilts.storage import write_folder
from lowres_stilts.tasks.cache import cached_features, fingerprint
from lowres_stilts.tasks.families import DECODERS, FAMILIES
from lowres_stilts.training.checkpoint import Progress
from lowres_stilts.training.loop import LOWER_STATES, Report, Schedule, train
from lowres_stilts.training.plan import Job
from lowres_stilts.training.team import ALONE, Team


@dataclass(frozen=True)
class Phase:
    """What to train, on top of what."""

    name: str
    """Of its folder, and of its module in the stack."""
    below: tuple[str, ...]
    """Phases whose frozen modules it stands on."""
    start_from: Path | None
    """A trained module to continue; none to start anew."""
    settings: ModuleSettings
    train: TrainSettings
    data: tuple[TrainingSet, ...]
    """One for each task."""
    fuse: FuseSettings | None = None
    """How to learn the weights of the modules below, where they are not all 1."""
    section: str = "target"
    """Of the recipe."""
    head_from: TrainedHead | None = None
    """Whose weights the head begins with, where it is not new."""

    @property
    def active(self) -> tuple[str, ...]:
        """Modules from the bottom up; an AdapterFusion stands in the place of those that it fuses."""
        fusion = self.fuse is not None and self.settings.kind == "bottleneck"
        return (self.name,) if fusion else (*self.below, self.name)


@dataclass(frozen=True)
class Bench:
    """What every phase of a run works with."""

    folder: RunFolder
    encoder: Encoder
    stack: Stack
    head: HeadLayout
    seed: int
    display: Display
    choices: Mapping[str, Choice] = field(default_factory=dict)
    """How the planner has phases compute their batches, by section of the recipe."""
    team: Team = ALONE
    """The processes that train together; main alone evaluates and writes."""


@dataclass(frozen=True)
class Outcome:
    """What training came to, its best weights in the network."""

    progress: Progress
    scores: Mapping[str, float]
    """On every task's dev set."""
    parts: Mapping[str, Mapping[str, float]]
    """Precision and recall there, or whatever else a task's metric is made of."""
    remarks: list[str]
    """What should worry whoever trained it."""


def run_phase(phase: Phase, bench: Bench) -> tuple[Network, dict[str, Any]]:
    """The network of a finished phase and what its training cost.

    Raises:
        TrainingError: training fails.
        RunError: something cannot be written, or another process of the team has ended.
    """
    folder = bench.folder.phase(phase.name)
    network = _prepare(phase, bench, folder / "module")
    if not (folder / "module").exists():
        bench.stack.activate(phase.active, train=phase.name)
        trained = _train(phase, bench, network, folder / "checkpoint.safetensors")
        if bench.team.is_main:
            _tell(phase, bench, trained)
            _write(phase, bench, network, trained, folder / "module")
        bench.team.wait()
    if bench.team.is_main:
        for leftover in (folder / "checkpoint.safetensors", *folder.glob(f"*{LOWER_STATES}")):
            leftover.unlink(missing_ok=True)
    bench.stack.activate(phase.active)
    summary: dict[str, Any] = json.loads((folder / "module" / "phase.json").read_text(encoding="utf-8"))
    return network, summary


def _prepare(phase: Phase, bench: Bench, done: Path) -> Network:
    """Encoder, modules and head, with trained weights where the phase is done and seeded ones elsewhere."""
    torch.manual_seed(bench.seed)
    if done.exists():
        bench.stack.load(phase.name, done)
    elif phase.start_from is not None:
        bench.stack.load(phase.name, phase.start_from)
    else:
        add_module(phase, bench.stack)
    heads = {each.task.name: _head(each, bench) for each in phase.data}
    network = Network(bench.stack.model, heads)
    if done.exists():
        _take(network, load_file(done / "head.safetensors"))
    elif phase.head_from is not None:
        _keep_head(network, phase.data[0].task.name, phase.head_from, bench.folder)
    return network


def _keep_head(network: Network, task: str, kept: TrainedHead, folder: RunFolder) -> None:
    found = load_file(folder.phase(kept.phase) / "module" / "head.safetensors")
    names = {name: f"{kept.task}{name.removeprefix(task)}" for name in network.head_weights()}
    _take(network, {name: found[source] for name, source in names.items()})


def add_module(phase: Phase, stack: Stack) -> None:
    """Adds the module of a phase to a stack."""
    fused = None if phase.fuse is None else phase.below
    KINDS[phase.settings.kind].add(stack, phase.name, phase.settings, fused)


def _head(each: TrainingSet, bench: Bench) -> Head:
    family = FAMILIES[each.task.family]
    invert = bench.stack.invert if isinstance(bench.stack, AdapterStack) else None
    return make_head(bench.encoder, family.head, family.outputs(each.task), layout=bench.head, invert=invert)


def _take(network: Network, weights: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, parameter in network.head_weights().items():
            parameter.copy_(weights[name])


def _train(phase: Phase, bench: Bench, network: Network, checkpoint: Path) -> Outcome:
    """Trains, and leaves the best weights in the network."""
    settings, encoder = phase.train, bench.encoder
    jobs = bench.team.main_first(lambda: {each.task.name: _job(each, settings, encoder) for each in phase.data})
    dev_sets = [dev_set(each, settings, encoder) for each in phase.data] if bench.team.is_main else []
    if len(jobs) > 1:
        bench.display.line(f"{phase.name}: examples per epoch: {_shown(jobs)}")

    def look() -> dict[str, tuple[float, list[Any]]]:
        return {dev.task.name: dev.look(network, encoder, settings.pace.tokens_per_batch) for dev in dev_sets}

    best: dict[float, dict[str, tuple[float, list[Any]]]] = {}

    def dev_score() -> float:
        looks = look()
        if len(looks) > 1:
            scores = {name: round(score, 3) for name, (score, _) in looks.items()}
            bench.folder.log("dev scores", phase=phase.name, scores=scores)
        mean = fmean(score for score, _ in looks.values())
        if mean > max(best, default=-1.0):
            best.clear()
            best[mean] = looks
        return mean

    schedule = _schedule(settings, bench.choices.get(phase.section))
    losses: list[float] = []
    with bench.display.work(f"{phase.name}: {', '.join(jobs)}") as advance:
        progress = train(
            network,
            encoder,
            _groups(phase, bench),
            jobs,
            schedule,
            dev_score=dev_score,
            checkpoint=checkpoint,
            seed=bench.seed,
            report=_reporter(phase.name, bench, advance, schedule.tokens_at_once, losses),
            team=bench.team,
        )
    # Of a phase that was gone on with, the best look may have been another process's.
    looks = best.get(progress.best_score or 0.0) or look()
    return Outcome(
        progress,
        {name: score for name, (score, _) in looks.items()},
        {dev.task.name: dev.parts(looks[dev.task.name][1]) for dev in dev_sets},
        [
            *remarks.on_length(progress.update, settings),
            *remarks.on_losses(losses if len(losses) == progress.update else []),
            *(
                line
                for dev in dev_sets
                for line in remarks.on_dev(dev.task, dev.examples, *looks[dev.task.name], dev.languages)
            ),
        ],
    )


def _tell(phase: Phase, bench: Bench, trained: Outcome) -> None:
    """Says how good the phase is on its dev sets, and what is odd about it."""
    scores = ", ".join(
        f"{name} {score:.1f}{_in_brackets(trained.parts[name])}" for name, score in trained.scores.items()
    )
    best, made = trained.progress.best_update, trained.progress.update
    dev = remarks.dev_name(sorted({code for each in phase.data for code in each.dev_languages}))
    bench.display.line(f"{phase.name}: {dev}: {scores} (weights of update {best} of {made})")
    for remark in trained.remarks:
        bench.display.line(f"warning: {phase.name}: {remark}")


def _in_brackets(parts: Mapping[str, float]) -> str:
    shown = ", ".join(f"{name} {points:.1f}" for name, points in parts.items())
    return f" ({shown})" if shown else ""


def _schedule(settings: TrainSettings, choice: Choice | None) -> Schedule:
    """The recipe's, computed as the planner chose."""
    pace = settings.pace
    return Schedule(
        epochs=pace.epochs,
        head_lr=pace.head_lr,
        tokens_per_batch=pace.tokens_per_batch,
        accumulate=settings.accumulate,
        warmup=settings.warmup,
        weight_decay=settings.weight_decay,
        clip_norm=settings.clip_norm,
        evaluate_every=settings.evaluate_every,
        patience=settings.patience,
        checkpoint_every=settings.checkpoint_every,
        gradient_checkpointing=choice.gradient_checkpointing if choice else settings.gradient_checkpointing,
        tokens_at_once=choice.tokens_at_once if choice else settings.tokens_at_once,
        eight_bit=settings.optimizer == "adamw8bit",
        reuse_lower_layers=settings.reuse_lower_layers,
    )


def _reporter(
    phase: str, bench: Bench, advance: Advance, tokens_at_once: int | None, losses: list[float]
) -> Callable[[Report], None]:
    """Shows every update and logs it, with dev scores, smaller parts where memory ran out, and fewer threads.

    Updates that are made again, since the process that made them was killed before its next checkpoint, are in the
    log already.
    """
    folder, told, gains = bench.folder, [tokens_at_once], list[float]()
    logged = folder.updates().get(phase, 0)

    def report(now: Report) -> None:
        losses.append(now.loss)
        advance(now.update, now.updates, f"loss {now.loss:.3f}, {now.tokens_per_second:,.0f} tokens/s")
        if now.tokens_at_once != told[-1]:
            told.append(now.tokens_at_once)
            folder.log("out of memory", phase=phase, tokens_at_once=now.tokens_at_once)
        if now.one_thread_gain is not None and not gains:
            gains.append(now.one_thread_gain)
            folder.log("one thread", phase=phase, gain=round(now.one_thread_gain, 2))
            bench.display.line(
                f"{phase}: one thread is {now.one_thread_gain:.1f} times as fast as all beside what runs here "
                "and trains the rest; to keep all, set OMP_NUM_THREADS"
            )
        if now.update <= logged:
            return
        loss = round(now.loss, 5)
        if now.dev_score is not None:
            folder.log("dev", phase=phase, update=now.update, loss=loss, score=round(now.dev_score, 3))
        speed = {"learning_rate": now.learning_rate, "tokens_per_second": round(now.tokens_per_second)}
        folder.log("update", phase=phase, update=now.update, loss=loss, **speed)

    return report


def _job(each: TrainingSet, settings: TrainSettings, encoder: Encoder) -> Job:
    length = max_length(settings, each.task.max_length, encoder)
    features = cached_features(each.task, each.train, encoder.tokenizer, length)
    if FAMILIES[each.task.family].head != "sequence":
        # Windows have labels of their own; a long text need not be in one batch.
        windows = features.by_sequence()
        return Job(each.task, windows, round(each.per_epoch * len(windows) / len(features)))
    return Job(each.task, features, each.per_epoch)


def _groups(phase: Phase, bench: Bench) -> list[tuple[float, dict[str, nn.Parameter]]]:
    """The module's parameters, each with its learning rate."""
    rates: dict[float, dict[str, nn.Parameter]] = {}
    for name, parameter in bench.stack.trainable(phase.name).items():
        rate = phase.train.pace.lr * (phase.train.lr_ratio if ".lora_B." in name else 1)
        if phase.fuse is not None and name.startswith("fusion."):
            rate = phase.fuse.lr
        rates.setdefault(rate, {})[name] = parameter
    return list(rates.items())


def _shown(jobs: Mapping[str, Job]) -> str:
    whole = sum(job.per_epoch for job in jobs.values())
    return ", ".join(
        f"{name} {job.per_epoch} of {len(job.features)} ({job.per_epoch / whole:.0%})"
        for name, job in jobs.items()
    )


def _dev_chance(each: TrainingSet) -> dict[str, float]:
    """What one answer for all scores on the dev set; nothing for hidden tokens."""
    if each.task.family not in DECODERS:
        return {}
    return {"dev_chance": round(score_of_one_answer(each.task, each.dev, each.task.english), 4)}


def _write(phase: Phase, bench: Bench, network: Network, trained: Outcome, folder: Path) -> None:
    """Module, heads and summary in one folder, which marks the phase as done."""
    progress, scores = trained.progress, trained.scores
    summary = {
        "phase": phase.name,
        "tasks": {
            each.task.name: {
                "family": each.task.family,
                "labels": list(each.task.labels),
                "languages": dict(each.by_language),
                "examples": len(each.train),
                "examples_per_epoch": each.per_epoch,
                "dev_languages": list(each.dev_languages),
                "dev_examples": len(each.dev),
                **_dev_chance(each),
                "dev_score": scores[each.task.name],
                **({"dev_parts": dict(parts)} if (parts := trained.parts[each.task.name]) else {}),
            }
            for each in phase.data
        },
        "data_sha256": sha256("".join(fingerprint(each.train) for each in phase.data).encode()).hexdigest(),
        "kind": phase.settings.kind,
        "head": bench.head,
        **({"head_kept_from": phase.head_from.task} if phase.head_from else {}),
        "below": list(phase.below),
        "updates": progress.update,
        "best_update": progress.best_update,
        **asdict(phase.train.pace),
        "dev_score": progress.best_score,
        "remarks": trained.remarks,
        "seconds": round(progress.seconds, 1),
        "tokens_per_second": round(progress.tokens / max(progress.seconds, 1e-9)),
        "trainable_parameters": sum(p.numel() for p in bench.stack.trainable(phase.name).values()),
        "head_parameters": sum(p.numel() for p in network.head_weights().values()),
    }
    heads = {name: value.detach().cpu().contiguous() for name, value in network.head_weights().items()}

    def fill(temporary: Path) -> None:
        bench.stack.write(phase.name, temporary)
        (temporary / "head.safetensors").write_bytes(save(heads))
        (temporary / "phase.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")

    write_folder(folder, fill)
    bench.folder.log("phase done", **summary)
