"""What `doctor` looks at. A finding is ok, a note (something will be slow or missing), or a failure."""

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from lowres_stilts.extras import install_command
from lowres_stilts.storage import cache_dir

OLDEST_PYTHON = (3, 11)
ROOM = 5 * 10**9
"""Bytes on disk: a model, its data, features, a run."""
LEAST_MEMORY = 3 * 10**9
TRAINS_IN = {
    "XLM-R XXL": 14.2e9,
    "XLM-R XL": 6.6e9,
    "XLM-R large": 2.4e9,
    "XLM-R base": 1.6e9,
}
"""Bytes of a card that updates of 8,192 tokens take, activations computed twice (benchmarks/gpu.py)."""
INSTALL = install_command("train")


@dataclass(frozen=True)
class Finding:
    """One line."""

    name: str
    status: Literal["ok", "note", "failed"]
    detail: str
    """What was found; where it is not ok, what to do."""


def checkup() -> list[Finding]:
    """All findings, in the order in which they matter."""
    checks: dict[str, Callable[[], Finding]] = {
        "python": _python,
        "torch": _torch,
        "cuda": _cuda,
        "bitsandbytes": _bitsandbytes,
        "libraries": _libraries,
        "memory": _memory,
        "disk": _disk,
        "hub login": _hub_login,
        "threads": _threads,
    }
    return [_safely(name, check) for name, check in checks.items()]


def _safely(name: str, check: Callable[[], Finding]) -> Finding:
    """A library that is broken must not keep the others from being looked at."""
    try:
        return check()
    except ImportError as error:
        return Finding(name, "failed", f"cannot be imported ({_line(error)}); {INSTALL}")
    except (RuntimeError, OSError, AttributeError) as error:
        return Finding(name, "failed", f"does not work: {_line(error)}")


def _python() -> Finding:
    found = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        return Finding("python", "failed", f"{found}; install Python 3.11 or newer")
    return Finding("python", "ok", found)


def _torch() -> Finding:
    import torch

    values = torch.ones(2, 2) @ torch.ones(2, 2)
    if float(values.sum()) != 8:
        return Finding("torch", "failed", f"{torch.__version__} computes wrongly; install it anew: {INSTALL}")
    from lowres_stilts.encoder.load import compute_on

    emulated = compute_on("cpu", "bf16") != "bf16"
    return Finding("torch", "ok", f"{torch.__version__}{', bf16 as float32 on this CPU' if emulated else ''}")


def _cuda() -> Finding:
    import torch

    if not torch.cuda.is_available():
        detail = (
            "torch was built without it: small recipes run on the CPU; for a GPU, install torch from pytorch.org"
            if torch.version.cuda is None
            else "no GPU found: check nvidia-smi and the driver; small recipes run on the CPU"
        )
        return Finding("cuda", "note", detail)
    properties = torch.cuda.get_device_properties(0)
    free, whole = torch.cuda.mem_get_info(0)
    fits = next((name for name, least in TRAINS_IN.items() if free >= least), "smaller encoders than XLM-R base")
    detail = (
        f"{properties.name} ({properties.major}.{properties.minor}), {free / 10**9:.1f} of {whole / 10**9:.1f} GB "
        f"free, trains {fits} in NF4; CUDA {torch.version.cuda}"
    )
    if not torch.cuda.is_bf16_supported(including_emulation=False):
        return Finding("cuda", "note", f"{detail}; it has no bfloat16: set model.compute: float32")
    return Finding("cuda", "ok", detail)


def _bitsandbytes() -> Finding:
    import bitsandbytes as bnb
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    weight = torch.randn(64, 64, device=device)
    packed, state = bnb.functional.quantize_4bit(weight, quant_type="nf4")
    error = (bnb.functional.dequantize_4bit(packed, state) - weight).abs().mean().item()
    if not error < 0.2:
        return Finding("bitsandbytes", "failed", f"{bnb.__version__}: NF4 is wrong on {device}; {INSTALL}")
    return Finding("bitsandbytes", "ok", f"{bnb.__version__}, NF4 on {device}")


def _libraries() -> Finding:
    names = ("transformers", "peft", "adapters", "datasets", "safetensors", "tokenizers")
    missing = [name for name in names if not _version(name)]
    if missing:
        return Finding("libraries", "failed", f"{', '.join(missing)} missing; {INSTALL}")
    return Finding("libraries", "ok", ", ".join(f"{name} {_version(name)}" for name in names))


def _memory() -> Finding:
    from lowres_stilts.pipeline.hardware import free_memory

    free = free_memory()
    if free < LEAST_MEMORY:
        return Finding("memory", "note", f"{free / 10**9:.1f} GB free; `lowres-stilts plan RECIPE` says what fits")
    return Finding("memory", "ok", f"{free / 10**9:.1f} GB free")


def _disk() -> Finding:
    place = cache_dir()
    existing = next(folder for folder in (place, *place.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if not os.access(existing, os.W_OK):
        return Finding("disk", "failed", f"{place} cannot be written; set LOWRES_STILTS_CACHE to another folder")
    if free < ROOM:
        detail = f"{free / 10**9:.1f} GB free for {place}; free some, or set LOWRES_STILTS_CACHE to another folder"
        return Finding("disk", "note", detail)
    return Finding("disk", "ok", f"{free / 10**9:.1f} GB free for {place}")


def _hub_login() -> Finding:
    from huggingface_hub import get_token

    if get_token():
        return Finding("hub login", "ok", "there is a token")
    return Finding("hub login", "note", "none: `hf auth login` before you push packages; the rest works without")


def _threads() -> Finding:
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = torch.get_num_threads()
    if threads > cores:
        return Finding(
            "threads", "note", f"{threads} on {cores} cores wait for each other: set OMP_NUM_THREADS={cores}"
        )
    if threads < cores:
        return Finding("threads", "note", f"{threads} on {cores} cores: unset OMP_NUM_THREADS to use them all")
    from lowres_stilts.pipeline.hardware import threads_speedup
    from lowres_stilts.training.threads import FASTER

    speedup = threads_speedup()
    found = f"{threads} on {cores} cores, {speedup:.1f} times as fast as one"
    if threads > 1 and speedup * FASTER < 1:
        return Finding("threads", "note", f"{found}: other programs use the cores; set OMP_NUM_THREADS=1")
    return Finding("threads", "ok", found)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _line(error: Any) -> str:
    return " ".join(str(error).split())[:200]
