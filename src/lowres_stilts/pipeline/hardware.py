"""The memory of a device, what a process takes of it before there is a model, and how fast products are."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
import torch
from transformers import PretrainedConfig

from lowres_stilts.pipeline.estimate import Held

USABLE = 0.9
"""Share of the free memory that is planned with."""
CPU_RUNTIME = 720_000_000
"""Resident memory of Python and the libraries after a first step, measured on Linux with torch 2.13 for CPUs."""
TOKENIZER_BYTES_PER_PIECE = 1200
"""Of the tokenizers library's Unigram model, measured: 300 MB for XLM-R's 250,002 pieces."""
CPU_OVERHEAD, PACKED_OVERHEAD = 1.6, 1.0
"""Resident memory for each byte of tensors that come and go, with holes in the C library's heap and without."""
KERNEL_BYTES, KERNEL_BATCHES = 8_000_000, 30
"""What oneDNN keeps of the kernels that it compiles for the shapes of a batch, and the batches after which that
grows little; as the two above, set on the nine fitted recipes of benchmarks/memory.py."""
CUDA_CONTEXT = 850_000_000
"""Of the driver and the libraries' kernels, beside torch's tensors; 820 to 880 MB on an H200 with CUDA 13.0."""
CUDA_OVERHEAD = 1.1
"""Memory that torch's allocator holds for each byte of tensors; 1.01 to 1.11 in training, measured on an H200."""
EFFICIENCY = {"cpu": 0.6, "cuda": 0.35}
"""Share of the rate of large matrix products that training reaches; of CUDA not measured by us: the only card at
hand was so fast that it waited for the host (`CUDA_LAYER_SECONDS`)."""
CUDA_LAYER_SECONDS = 0.006
"""What the host takes to start a layer's operations, forward and backward, however fast the GPU is; 5.9 to 8.3 ms
measured beside an H200."""
UNLIMITED = 1 << 60
CGROUP_LIMIT, CGROUP_USED = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")


@dataclass(frozen=True)
class Place:
    """Where a recipe is to run."""

    cuda: bool
    budget: int
    """Bytes that may be used."""
    batches: int = KERNEL_BATCHES
    """Of the whole run, each of which brings shapes of its own."""

    def peak(self, held: Held, work: int, config: PretrainedConfig, *, packed: bool) -> int:
        """Bytes that are in use at most: of the card with CUDA's own, or of the process.

        Args:
            held: what is there throughout.
            work: bytes of a step's tensors at once.
            config: of the encoder, whose vocabulary decides what the tokenizer takes.
            packed: freed memory is given back at once, as it is where activations are computed twice.
        """
        if self.cuda:
            return CUDA_CONTEXT + round(CUDA_OVERHEAD * (held.weights + held.modules + work))
        tokenizer = TOKENIZER_BYTES_PER_PIECE * int(config.vocab_size)
        return (
            CPU_RUNTIME
            + tokenizer
            + KERNEL_BYTES * min(self.batches, KERNEL_BATCHES)
            + held.weights
            + held.modules
            + round((PACKED_OVERHEAD if packed else CPU_OVERHEAD) * work)
        )


def this_place(device: Literal["auto", "cpu", "cuda"], processes: int = 1) -> Place:
    """The device of a recipe as it is now, with what is free of its memory for each of some processes.

    GPUs are not shared: each process has one of its own.
    """
    if device != "cpu" and torch.cuda.is_available():
        free, _ = torch.cuda.mem_get_info()
        return Place(cuda=True, budget=round(USABLE * free))
    used = psutil.Process().memory_info().rss
    return Place(cuda=False, budget=round(USABLE * free_memory() / processes) + used)


def free_memory() -> int:
    """Bytes of the CPU's memory that are free, within the limit of a container where there is one."""
    free = int(psutil.virtual_memory().available)
    try:
        limit = CGROUP_LIMIT.read_text(encoding="utf-8").strip()
        left = UNLIMITED if limit == "max" else int(limit) - int(CGROUP_USED.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return free
    return min(free, max(0, left))


def products_per_second(device: str, dtype: torch.dtype, *, size: int = 1536, rounds: int = 5) -> float:
    """Operations per second of a matrix product of this size, the best of some rounds."""
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        left @ right
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def threads_speedup(rounds: int = 4) -> float:
    """How many times as fast products are with all of torch's threads as with one, now, beside what else runs.

    In turns; the time that threads wait for each other counts.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        return 1.0
    seconds = {1: 0.0, threads: 0.0}
    try:
        for count in [*seconds] * rounds:
            torch.set_num_threads(count)
            seconds[count] += _seconds_of_products()
    finally:
        torch.set_num_threads(threads)
    return seconds[1] / seconds[threads]


def _seconds_of_products(count: int = 12, rows: int = 1024, width: int = 384) -> float:
    states, weight = torch.ones(rows, width), torch.full((width, width), 1 / width)
    states @ weight  # threads start with the first
    started = time.perf_counter()
    for _ in range(count):
        states = torch.nn.functional.gelu(states @ weight)
    return time.perf_counter() - started
