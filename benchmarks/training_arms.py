"""The ways of training that `training.py` compares, on the same text."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BitsAndBytesConfig,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from lowres_stilts.data.examples import TextExample
from lowres_stilts.encoder.load import load_encoder
from lowres_stilts.modules.lora import ModuleStack
from lowres_stilts.modules.network import Network, make_head
from lowres_stilts.tasks.batches import plan_batches
from lowres_stilts.tasks.cache import cached_features
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.training.loop import Report, Schedule, train
from lowres_stilts.training.plan import Job as TrainingJob

TASK = REGISTRY["xnli"]
LENGTH, BATCH, RANK, ALPHA, LR = 128, 32, 16, 32, 3e-4
HEAD = ["pooler", "classifier"]
"""Layers that the checkpoint lacks: new ones, neither quantized nor given a LoRA."""
DEVICE = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


@dataclass(frozen=True)
class Job:
    """What a process is to do."""

    arm: str
    model: str
    """A Hugging Face folder; for `prepare`, the name of the model."""
    data: str
    scratch: str
    warm_up: int
    """Examples that are trained on before the clock starts."""
    timed: int
    """Examples that are trained on while it runs."""
    tokens_per_batch: int
    """Of the pipeline."""
    seed: int


@dataclass(frozen=True)
class Timing:
    """What training on some examples took."""

    seconds: float
    updates: int
    tokens: int
    positions: int
    """Tokens and padding."""
    loss: float
    """Mean over the updates."""


Run = Callable[[Sequence[TextExample]], Timing]
"""Trains on examples, going on from where the last call left the model."""


def pipeline(job: Job) -> Run:
    """This project: NF4, int8 embeddings, bfloat16, batches by tokens, features from the cache."""
    return _pipeline(job, upper=False, epochs=1)


def upper_layers(job: Job) -> Run:
    """The same with a module on the upper half of the layers, over three epochs; the lower half runs once."""
    return _pipeline(job, upper=True, epochs=3)


def _pipeline(job: Job, *, upper: bool, epochs: int) -> Run:
    encoder = load_encoder(job.model)
    stack = ModuleStack(encoder)
    count = int(encoder.model.config.num_hidden_layers)
    layers = range(count // 2, count) if upper else None
    stack.add_lora("target", rank=RANK, alpha=ALPHA, targets="all-linear", layers=layers)
    stack.activate(["target"], train="target")
    head = make_head(encoder, "sequence", len(TASK.labels), layout="library")
    network = Network(stack.model, {TASK.name: head})

    def run(examples: Sequence[TextExample]) -> Timing:
        features = cached_features(TASK, examples, encoder.tokenizer, LENGTH)
        reports: list[tuple[float, Report]] = []
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            train(
                network,
                encoder,
                [(LR, stack.trainable("target"))],
                {TASK.name: TrainingJob(TASK, features, len(features))},
                _schedule(job.tokens_per_batch, epochs),
                dev_score=lambda: 0.0,
                checkpoint=Path(folder) / "checkpoint.safetensors",
                seed=job.seed,
                report=lambda report: reports.append((time.perf_counter(), report)),
            )
        lengths = features.lengths()
        # The shapes of the batches do not depend on how they are shuffled.
        batches = plan_batches(features, job.tokens_per_batch)
        return Timing(
            seconds=(reports[-1][0] - started) / epochs,
            updates=len(reports),
            tokens=int(lengths.sum()),
            positions=sum(int(lengths[batch].max()) * len(batch) for batch in batches),
            loss=float(np.mean([report.loss for _, report in reports])),
        )

    return run


def _schedule(tokens_per_batch: int, epochs: int) -> Schedule:
    return Schedule(
        epochs=epochs,
        head_lr=LR,
        tokens_per_batch=tokens_per_batch,
        accumulate=1,
        warmup=0.1,
        weight_decay=0.01,
        clip_norm=1.0,
        evaluate_every=None,
        patience=None,
        checkpoint_every=10**9,
        gradient_checkpointing=False,
    )


def plain_qlora(job: Job) -> Run:
    """A tutorial's QLoRA script: PEFT and Trainer, with their defaults, padded to the full length."""
    return _trainer(job, _qlora_model(job, checkpointing=True), dynamic=False)


def tuned_qlora(job: Job) -> Run:
    """The same script without gradient checkpointing, padded by batches of like length."""
    return _trainer(job, _qlora_model(job, checkpointing=False), dynamic=True)


def full_finetuning(job: Job) -> Run:
    """Trainer on all weights, in float32 with bfloat16 autocast, padded to the full length."""
    model = AutoModelForSequenceClassification.from_pretrained(
        job.model, num_labels=len(TASK.labels), dtype=torch.float32
    )
    return _trainer(job, model, dynamic=False)


def _qlora_model(job: Job, *, checkpointing: bool) -> torch.nn.Module:
    model = AutoModelForSequenceClassification.from_pretrained(
        job.model,
        num_labels=len(TASK.labels),
        dtype=torch.bfloat16,
        device_map={"": DEVICE} if DEVICE.type == "cuda" else None,
        quantization_config=BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
            llm_int8_skip_modules=HEAD,
        ),
    )
    model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=checkpointing)
    config = LoraConfig(
        task_type="SEQ_CLS",
        r=RANK,
        lora_alpha=ALPHA,
        lora_dropout=0.05,
        target_modules="all-linear",
        exclude_modules=rf".*\b({'|'.join(HEAD)})\b.*",
        modules_to_save=HEAD,
    )
    return get_peft_model(model, config)


class _Clock(TrainerCallback):
    """Notes when training starts and when its last update ends."""

    started = ended = 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.started = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.ended = time.perf_counter()


def _trainer(job: Job, model: torch.nn.Module, *, dynamic: bool) -> Run:
    tokenizer = AutoTokenizer.from_pretrained(job.model)
    collate = DataCollatorWithPadding(tokenizer)
    arguments = TrainingArguments(
        output_dir=job.scratch,
        num_train_epochs=1,
        per_device_train_batch_size=BATCH,
        learning_rate=LR,
        bf16=True,
        use_cpu=DEVICE.type == "cpu",
        group_by_length=dynamic,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=job.seed,
    )

    def tokenize(rows: dict[str, list[str]]) -> dict[str, list[list[int]]]:
        padding = False if dynamic else "max_length"
        encoded = tokenizer(
            rows["premise"], rows["hypothesis"], truncation=True, max_length=LENGTH, padding=padding
        )
        return dict(encoded)

    def run(examples: Sequence[TextExample]) -> Timing:
        rows = {
            "premise": [example.text for example in examples],
            "hypothesis": [example.text_pair for example in examples],
            "label": [TASK.labels.index(str(example.label)) for example in examples],
        }
        tokens = positions = 0

        def counted(features: list[dict[str, Any]]) -> Mapping[str, torch.Tensor]:
            nonlocal tokens, positions
            batch = collate(features)
            tokens += int(batch["attention_mask"].sum())
            positions += batch["attention_mask"].numel()
            return batch

        clock = _Clock()
        trainer = Trainer(
            model,
            arguments,
            data_collator=counted,
            train_dataset=datasets.Dataset.from_dict(rows).map(tokenize, batched=True),
            callbacks=[clock],
        )
        done = trainer.train()
        return Timing(clock.ended - clock.started, done.global_step, tokens, positions, done.training_loss)

    return run


ARMS: Mapping[str, Callable[[Job], Run]] = {
    "pipeline": pipeline,
    "upper_layers": upper_layers,
    "plain_qlora": plain_qlora,
    "full_finetuning": full_finetuning,
    "tuned_qlora": tuned_qlora,
}
