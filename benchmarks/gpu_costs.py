"""Memory, speed, waits and launches of training on a device, with random weights."""

import gc
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from gpu_models import configuration, pairs, random_encoder, random_examples, task_of, write_large
from lowres_stilts.encoder.load import Encoder, weights_bytes
from lowres_stilts.modules.lora import ModuleStack
from lowres_stilts.modules.network import Network, make_head
from lowres_stilts.pipeline.environment import peak_memory_bytes
from lowres_stilts.pipeline.estimate import batch_of
from lowres_stilts.pipeline.hardware import UNLIMITED, Place
from lowres_stilts.pipeline.planner import fit_recipe
from lowres_stilts.recipe import Recipe
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.training.loop import checkpoint_layers
from lowres_stilts.training.optimizer import MasterAdamW
from lowres_stilts.training.plan import Job, make_plan
from lowres_stilts.training.update import Updater
from memory_recipes import Case
from report import MB
from training_arms import ARMS
from training_arms import Job as Arm

GB = 10**9
TASK = REGISTRY["xnli"]
FAMILIES_COUNTED = ("classification", "tagging", "qa")
AIMS_GB = {"large": 4.0, "xl": 8.0, "xxl": 16.0}
"""Peak memory that training at 8,192 tokens an update is to stay under."""


class Bed:
    """An encoder with a LoRA on all linear layers and a head, ready for updates of a task."""

    def __init__(
        self, encoder: Encoder, *, updates: int, family: str = "classification", length: int = 128
    ) -> None:
        self.encoder = encoder
        self.stack = ModuleStack(encoder)
        self.stack.add_lora("m", rank=16, alpha=32, targets="all-linear")
        self.stack.activate(["m"], train="m")
        self.task = task_of(family, length) if family != "classification" else TASK
        kind = FAMILIES[self.task.family]
        head = make_head(encoder, kind.head, kind.outputs(self.task), layout="library")
        self.network = Network(self.stack.model, {self.task.name: head})
        heads = {f"head.{name}": weight for name, weight in self.network.head_weights().items()}
        self.optimizer = MasterAdamW(
            [(3e-4, {**self.stack.trainable("m"), **heads})],
            weight_decay=0.01,
            clip_norm=1.0,
            updates=updates,
            warmup=0.1,
        )

    def updater(self, job: Job) -> Updater:
        """Makes updates of a job."""
        return Updater(self.network, self.encoder, {self.task.name: job}, self.optimizer)


def memory(device: torch.device, *, quick: bool) -> Iterator[dict[str, Any]]:
    """Peak bytes of two updates in NF4, against what the planner predicts."""
    tokens = 1024 if quick else 8192
    plain, twice = {"gradient_checkpointing": False}, {"gradient_checkpointing": True}
    cases = [("small", plain), ("xl-small", twice)]
    _forget(device)
    if not quick:
        cases = [("base", plain), ("large", twice), ("large", plain), ("xl", twice), ("xxl", twice)]
    for name, train in cases:
        yield {"model": name, **train, "tokens": tokens, **_memory_of(name, device, tokens, **train)}
        _forget(device)


def _forget(device: torch.device) -> None:
    """Gives back what other parts or cases left."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _memory_of(name: str, device: torch.device, tokens: int, *, gradient_checkpointing: bool) -> dict[str, Any]:
    recipe = _recipe(tokens, gradient_checkpointing=gradient_checkpointing, device=device)
    place = Place(cuda=device.type == "cuda", budget=UNLIMITED)
    (choice,) = fit_recipe(recipe, configuration(name), place)
    predicted = {"predicted_gb": choice.peak_bytes / GB, "predicted_work_gb": choice.work_bytes / GB}
    cuda = device.type == "cuda"
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    try:
        bed = Bed(random_encoder(name, device), updates=2)
        loaded = time.perf_counter() - started
        loading = peak_memory_bytes(device)
        if cuda:
            torch.cuda.reset_peak_memory_stats()
        checkpoint_layers(bed.encoder, gradient_checkpointing)
        batch = batch_of(TASK, tokens // 128, 128)
        seconds = []
        for number in range(3):
            started = time.perf_counter()
            bed.network.train()
            loss = bed.updater(Job(TASK, None, 0)).loss(TASK.name, batch)  # type: ignore[arg-type]
            (loss / tokens).backward()  # type: ignore[no-untyped-call]
            bed.optimizer.accumulate()
            del loss
            bed.optimizer.step(min(number, 1))
            seconds.append(time.perf_counter() - started)
    except torch.OutOfMemoryError as error:
        return {**predicted, "ok": False, "error": str(error)[:500]}
    found = {
        **predicted,
        "weights_gb": weights_bytes(bed.encoder.model) / GB,
        "load_seconds": loaded,
        "load_peak_gb": loading / GB,
        "peak_gb": peak_memory_bytes(device) / GB,
        "update_seconds": min(seconds),
        "tokens_per_second": tokens / min(seconds),
    }
    if cuda:
        free, whole = torch.cuda.mem_get_info()
        reserved = torch.cuda.max_memory_reserved()
        outside = whole - free - torch.cuda.memory_reserved()
        found |= {"reserved_gb": reserved / GB, "outside_torch_gb": outside / GB}
        found["card_gb"] = found["reserved_gb"] + found["outside_torch_gb"]
        found["prediction_error_percent"] = 100 * (found["predicted_gb"] / found["card_gb"] - 1)
        if name in AIMS_GB and gradient_checkpointing:
            found["aim_gb"] = AIMS_GB[name]
            found["ok"] = found["card_gb"] <= AIMS_GB[name]
    return found


def _recipe(tokens: int, *, gradient_checkpointing: bool, device: torch.device) -> Recipe:
    train = {"tokens_per_batch": tokens, "gradient_checkpointing": gradient_checkpointing, "fit": False}
    return Recipe.model_validate(
        {
            "name": "memory",
            "model": {"id": "by its configuration", "device": device.type},
            "data": {"source": "xtreme", "dir": "."},
            "target": {"task": "xnli", "transfer": "none", "module": {"rank": 16, "alpha": 32}, "train": train},
        }
    )


def speed(device: torch.device, *, quick: bool) -> Iterator[dict[str, Any]]:
    """Tokens a second of this project and of its peers, and the share of the device's bf16 matrix rate."""
    name, tokens, timed = ("small", 1024, 64) if quick else ("large", 8192, 1536)
    rate = matrix_rate(device, 512 if quick else 8192)
    yield {"matrix_rate_tflops": rate / 1e12}
    parameters = _linear_parameters(name)
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_large(name, Path(scratch) / name, device)
        examples = pairs(timed + 96)
        for arm in ("pipeline", "tuned_qlora", "plain_qlora", "full_finetuning"):
            job = Arm(arm, str(folder), ".", scratch, 96, timed, tokens, 0)
            try:
                torch.manual_seed(0)
                run = ARMS[arm](job)
                run(examples[:96])
                if device.type == "cuda":
                    torch.cuda.reset_peak_memory_stats()
                timing = run(examples[96:])
            except Exception as error:
                yield {"arm": arm, "ok": False, "error": f"{type(error).__name__}: {error}"[:1000]}
                continue
            flops = (6 if arm == "full_finetuning" else 4) * parameters * timing.tokens / timing.seconds
            yield {
                "arm": arm,
                "model": name,
                "tokens_per_second": timing.tokens / timing.seconds,
                "examples_per_second": timed / timing.seconds,
                "updates": timing.updates,
                "padding_share": 1 - timing.tokens / timing.positions,
                "peak_gb": peak_memory_bytes(device) / GB,
                "share_of_matrix_rate": flops / rate,
            }
            del run
            _forget(device)


def _linear_parameters(name: str) -> int:
    config = configuration(name)
    hidden, inner = int(config.hidden_size), int(config.intermediate_size)
    return int(config.num_hidden_layers) * (4 * hidden * hidden + 2 * hidden * inner)


def matrix_rate(device: torch.device, size: int) -> float:
    """Operations a second of large bf16 products."""
    left, right = (torch.randn(size, size, device=device).to(torch.bfloat16) for _ in range(2))
    rounds = []
    for _ in range(8):
        started = time.perf_counter()
        for _ in range(4):
            left @ right
        if device.type == "cuda":
            torch.cuda.synchronize()
        rounds.append((time.perf_counter() - started) / 4)
    return float(2 * size**3 / min(rounds))


def counts(device: torch.device, *, quick: bool) -> Iterator[dict[str, Any]]:
    """Waits, launches and copies of an update, by the profiler."""
    for name, families in {
        "minilm": FAMILIES_COUNTED,
        **({} if quick else {"large": FAMILIES_COUNTED[:1]}),
    }.items():
        for family in families:
            yield {"model": name, "family": family, **_counted(name, family, device, quick=quick)}


def _counted(name: str, family: str, device: torch.device, *, quick: bool) -> dict[str, Any]:
    bed = Bed(random_encoder(name, device), updates=40, family=family)
    examples = pairs(200) if family == "classification" else random_examples(family, 200, longest=60)
    kind = FAMILIES[bed.task.family]
    features = kind.encode(bed.task, examples, bed.encoder.tokenizer, 128)
    if kind.head != "sequence":
        features = features.by_sequence()
    job = Job(bed.task, features, len(features))
    jobs = {bed.task.name: job}
    plan = make_plan(
        jobs, epochs=40, tokens_per_batch=512 if quick else 4096, accumulate=1, evaluate_every=None, seed=1
    )
    updater = bed.updater(job)
    warm = 1 if quick else 4
    for number in range(warm):
        updater.update(plan.updates[number], number)
    updates = 2
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    with profile(activities=activities, acc_events=True) as profiled:
        started = time.perf_counter()
        for number in range(warm, warm + updates):
            updater.update(plan.updates[number], number)
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - started
    names: dict[str, int] = {}
    busy = 0.0
    for event in profiled.events():
        names[event.name] = names.get(event.name, 0) + 1
        if event.device_type == torch.autograd.DeviceType.CUDA:
            busy += event.time_range.elapsed_us()

    def each(*parts: str) -> float:
        return sum(count for key, count in names.items() if any(part in key for part in parts)) / updates

    return {
        "launches": each("LaunchKernel"),
        "waits": each("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize"),
        "items": each("aten::_local_scalar_dense"),
        "nonzero": each("aten::nonzero"),
        "to_device": each("Memcpy HtoD"),
        "to_host": each("Memcpy DtoH"),
        "within": each("Memcpy DtoD"),
        "update_ms_profiled": 1000 * seconds / updates,
        "device_busy_ms": busy / 1000 / updates,
        "operators": sum(count for key, count in names.items() if key.startswith("aten::")) / updates,
    }


def device_facts(device: torch.device) -> dict[str, Any]:
    """What the device is."""
    facts: dict[str, Any] = {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        free, whole = torch.cuda.mem_get_info()
        facts |= {
            "name": properties.name,
            "capability": f"{properties.major}.{properties.minor}",
            "memory_mb": whole / MB,
            "free_mb": free / MB,
            "cuda": torch.version.cuda,
            "bf16": torch.cuda.is_bf16_supported(including_emulation=False),
            "multiprocessors": properties.multi_processor_count,
        }
    return facts


SMALL_RECIPE = Case("small", 64, 1024, below=("classification",), train={"epochs": 2})
