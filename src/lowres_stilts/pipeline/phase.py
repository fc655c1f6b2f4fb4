"""One phase of a run: trained, or taken up again, or loaded since it is done."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save

from lowres_stilts.display import Display
from lowres_stilts.encoder.load import Encoder
from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.evaluation.predict import predict
from lowres_stilts.evaluation.transfer import ENGLISH
from lowres_stilts.modules.heads import HeadLayout
from lowres_stilts.modules.lora import ModuleStack
from lowres_stilts.modules.network import Network, make_head
from lowres_stilts.pipeline.folder import RunFolder
from lowres_stilts.pipeline.material import TrainingSet
from lowres_stilts.recipe.schema import ModuleSettings, TrainSettings
from lowres_stilts.storage import write_folder
from lowres_stilts.tasks.cache import cached_features
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.training.checkpoint import Progress
from lowres_stilts.training.loop import Report, Schedule, train


@dataclass(frozen=True)
class Phase:
    """What to train, on top of what."""

    name: str
    """Of its folder."""
    module: str
    """Of its module in the stack."""
    below: tuple[str, ...]
    """Frozen modules that it stands on."""
    start_from: Path | None
    """A trained module to continue; none to start anew."""
    settings: ModuleSettings
    train: TrainSettings
    data: TrainingSet


@dataclass(frozen=True)
class Bench:
    """What every phase of a run works with."""

    folder: RunFolder
    encoder: Encoder
    stack: ModuleStack
    head: HeadLayout
    seed: int
    display: Display


def run_phase(phase: Phase, bench: Bench) -> tuple[Network, dict[str, Any]]:
    """The network of a finished phase and what its training cost.

    Raises:
        TrainingError: training fails.
        RunError: something cannot be written.
    """
    folder = bench.folder.phase(phase.name)
    network = _prepare(phase, bench, folder / "module")
    if not (folder / "module").exists():
        bench.stack.activate([*phase.below, phase.module], train=phase.module)
        progress = _train(phase, bench, network, folder / "checkpoint.safetensors")
        _write(phase, bench, network, progress, folder / "module")
    (folder / "checkpoint.safetensors").unlink(missing_ok=True)
    bench.stack.activate([*phase.below, phase.module])
    summary: dict[str, Any] = json.loads((folder / "module" / "phase.json").read_text(encoding="utf-8"))
    return network, summary


def max_length(phase_train: TrainSettings, data_max_length: int, encoder: Encoder) -> int:
    """Most tokens of a sequence: the recipe's or the task's, as far as the encoder goes."""
    asked = phase_train.max_length or data_max_length
    # RoBERTa's positions start behind the padding id; BERT's at 0.
    offset = 0 if encoder.model.config.model_type == "bert" else encoder.pad_id + 1
    return min(asked, int(encoder.model.config.max_position_embeddings) - offset)


def _prepare(phase: Phase, bench: Bench, done: Path) -> Network:
    """Encoder, modules and head, with trained weights where the phase is done and seeded ones elsewhere."""
    torch.manual_seed(bench.seed)
    if done.exists():
        bench.stack.load(phase.module, done)
    elif phase.start_from is not None:
        bench.stack.load(phase.module, phase.start_from)
    else:
        bench.stack.add_lora(
            phase.module,
            rank=phase.settings.rank,
            alpha=phase.settings.alpha,
            targets=phase.settings.targets,
            dropout=phase.settings.dropout,
        )
    task = phase.data.task
    family = FAMILIES[task.family]
    head = make_head(bench.encoder, family.outputs(task), per_token=family.per_token, layout=bench.head)
    if done.exists():
        head.load_state_dict(load_file(done / "head.safetensors"))
    return Network(bench.stack.model, head)


def _train(phase: Phase, bench: Bench, network: Network, checkpoint: Path) -> Progress:
    task, settings, encoder = phase.data.task, phase.train, bench.encoder
    length = max_length(settings, task.max_length, encoder)
    features, dev = (
        cached_features(task, examples, encoder.tokenizer, length)
        for examples in (phase.data.train, phase.data.dev)
    )
    gold = [FAMILIES[task.family].gold(example) for example in phase.data.dev]
    metric = METRICS[task.metric]

    def dev_score() -> float:
        answers = predict(network, encoder, task, dev, settings.tokens_per_batch)
        return metric.score(metric.table(gold, answers, ENGLISH))

    schedule = Schedule(
        epochs=settings.epochs,
        lr=settings.lr,
        head_lr=settings.head_lr or settings.lr,
        tokens_per_batch=settings.tokens_per_batch,
        accumulate=settings.accumulate,
        warmup=settings.warmup,
        weight_decay=settings.weight_decay,
        clip_norm=settings.clip_norm,
        evaluate_every=settings.evaluate_every,
        patience=settings.patience,
        checkpoint_every=settings.checkpoint_every,
        gradient_checkpointing=settings.gradient_checkpointing,
    )
    with bench.display.work(f"{phase.name}: {task.name}") as advance:

        def report(now: Report) -> None:
            advance(now.update, now.updates, f"loss {now.loss:.3f}, {now.tokens_per_second:,.0f} tokens/s")
            if now.dev_score is not None:
                bench.folder.log(
                    "dev",
                    phase=phase.name,
                    update=now.update,
                    loss=round(now.loss, 5),
                    score=round(now.dev_score, 3),
                )

        return train(
            network,
            encoder,
            bench.stack.trainable(phase.module),
            task,
            features,
            schedule,
            dev_score=dev_score,
            checkpoint=checkpoint,
            seed=bench.seed,
            report=report,
        )


def _write(phase: Phase, bench: Bench, network: Network, progress: Progress, folder: Path) -> None:
    """Module, head and summary in one folder, which marks the phase as done."""
    summary = {
        "phase": phase.name,
        "task": phase.data.task.name,
        "labels": list(phase.data.task.labels),
        "head": bench.head,
        "below": list(phase.below),
        "examples": len(phase.data.train),
        "updates": progress.update,
        "best_update": progress.best_update,
        "dev_score": progress.best_score,
        "dev_examples": len(phase.data.dev),
        "seconds": round(progress.seconds, 1),
        "tokens_per_second": round(progress.tokens / max(progress.seconds, 1e-9)),
        "trainable_parameters": sum(p.numel() for p in bench.stack.trainable(phase.module).values()),
        "head_parameters": sum(p.numel() for p in network.head.parameters()),
    }
    head = {name: value.detach().cpu().contiguous() for name, value in network.head.state_dict().items()}

    def fill(temporary: Path) -> None:
        bench.stack.write(phase.module, temporary)
        (temporary / "head.safetensors").write_bytes(save(head))
        (temporary / "phase.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")

    write_folder(folder, fill)
    bench.folder.log("phase done", **summary)
