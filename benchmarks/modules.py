"""What each kind of module costs: parameters, training steps, memory, size on disk and loading time.

Every measurement is a process of its own: the starter in NF4 with int8 embeddings, bfloat16, one batch of random
tokens without padding, AdamW over the module's parameters. The kinds take turns, and a ratio is the median of the
ratios to LoRA within each round.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

from lowres_stilts.encoder.load import Encoder, load_encoder
from lowres_stilts.encoder.starter import STARTER_ID
from lowres_stilts.modules.bottleneck import AdapterStack
from lowres_stilts.modules.lora import ModuleStack
from lowres_stilts.modules.stack import Stack
from lowres_stilts.pipeline.environment import peak_memory_bytes
from lowres_stilts.training.optimizer import MasterAdamW
from report import MB, Result, print_results, write_report

NAME, LR = "measured", 1e-3
PARTS = ("first", "second", "third")
SETUP = {
    "model": STARTER_ID,
    "quantize": "nf4",
    "embeddings": "int8",
    "compute": "bf16",
    "batch": "16 x 64 tokens",
}
Made = tuple[Stack, tuple[str, ...]]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few minutes on two cores")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write machine, versions and results here")
    parser.add_argument("--rounds", type=int, help="5, with --quick 3")
    parser.add_argument("--steps", type=int, help="timed steps: 20, with --quick 6")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        print(json.dumps(measure(**json.loads(arguments.job))))
        return
    rounds = arguments.rounds or (3 if arguments.quick else 5)
    steps = arguments.steps or (6 if arguments.quick else 20)
    found = [{kind: run(kind, steps) for kind in KINDS} for _ in range(rounds)]
    results = [result for kind in KINDS for result in summarized(kind, found)]
    print_results(f"Modules over the starter, {steps} steps", results)
    if arguments.json:
        write_report(arguments.json, results, setup=SETUP | {"steps": steps})


def summarized(kind: str, found: list[dict[str, dict[str, float]]]) -> list[Result]:
    """The figures of a kind over all rounds."""
    own, n = [each[kind] for each in found], len(found)
    ratios = [each[kind]["steps_per_s"] / each["lora"]["steps_per_s"] for each in found]
    return [
        Result(f"parameters.{kind}", own[0]["parameters"], "parameters", 1),
        Result(f"steps_per_s.{kind}", median(each["steps_per_s"] for each in own), "steps/s", n),
        Result(f"steps_per_s_vs_lora.{kind}", median(ratios), "x", n),
        Result(f"peak_memory_mb.{kind}", median(each["peak"] for each in own) / MB, "MB", n),
        Result(f"disk_mb.{kind}", own[0]["disk"] / MB, "MB", 1),
        Result(f"load_ms.{kind}", median(each["load_ms"] for each in own), "ms", n),
    ]


def run(kind: str, steps: int) -> dict[str, float]:
    """A measurement in a process of its own."""
    job = json.dumps({"kind": kind, "steps": steps})
    done = subprocess.run([sys.executable, __file__, "--job", job], check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(kind: str, steps: int) -> dict[str, float]:
    """Trains a module of this kind, writes it, and loads it beside itself."""
    torch.manual_seed(0)
    encoder = load_encoder(STARTER_ID)
    stack, active = KINDS[kind](encoder)
    stack.activate(active, train=NAME)
    learned = stack.trainable(NAME)
    optimizer = MasterAdamW([(LR, learned)], weight_decay=0.0, clip_norm=1.0, updates=steps + 2, warmup=0.1)
    ids = torch.randint(5, 1000, (16, 64), device=encoder.device)
    seconds = []
    for update in range(steps + 2):  # two to warm up
        started = time.perf_counter()
        states = stack.model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        states.float().pow(2).mean().backward()
        optimizer.accumulate()
        optimizer.step(update)
        seconds.append(time.perf_counter() - started)
    peak = peak_memory_bytes(encoder.device)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        stack.write(NAME, folder)
        disk = sum(file.stat().st_size for file in folder.iterdir())
        stack.activate(())
        started = time.perf_counter()
        stack.load("again", folder)
        load_ms = 1000 * (time.perf_counter() - started)
    return {
        "parameters": sum(parameter.numel() for parameter in learned.values()),
        "steps_per_s": 1 / median(seconds[2:]),
        "peak": float(peak),
        "disk": disk,
        "load_ms": load_ms,
    }


def lora(encoder: Encoder, **settings: Any) -> Made:
    """One LoRA of rank 16."""
    stack = ModuleStack(encoder)
    stack.add_lora(NAME, **{"rank": 16, "alpha": 32, "targets": "all-linear"} | settings)
    return stack, (NAME,)


def stacked_loras(encoder: Encoder, *, fuse: bool = False) -> Made:
    """A LoRA over three frozen ones of rank 16, or over one."""
    stack = ModuleStack(encoder)
    below = PARTS if fuse else PARTS[:1]
    for name in (*below, NAME):
        stack.add_lora(name, rank=16, alpha=32, targets="all-linear")
    if fuse:
        stack.fuse(NAME, below)
    return stack, (*below, NAME)


def bottleneck(encoder: Encoder, kind: Any) -> Made:
    """One adapter, 16 times narrower than the hidden states."""
    stack = AdapterStack(encoder)
    stack.add_bottleneck(NAME, kind=kind, reduction=16)
    return stack, (NAME,)


def language(encoder: Encoder) -> Made:
    """One language adapter of MAD-X."""
    stack = AdapterStack(encoder)
    stack.add_language(NAME, reduction=2)
    return stack, (NAME,)


def adapter_fusion(encoder: Encoder) -> Made:
    """AdapterFusion over three frozen adapters."""
    stack = AdapterStack(encoder)
    for name in PARTS:
        stack.add_bottleneck(name, kind="seq_bn", reduction=16)
    stack.add_fusion(NAME, PARTS)
    return stack, (NAME,)


KINDS: dict[str, Callable[[Encoder], Made]] = {
    "lora": lora,
    "lora_attention": lambda encoder: lora(encoder, targets="attention"),
    "dora": lambda encoder: lora(encoder, dora=True),
    "lora_on_lora": stacked_loras,
    "lora_on_3_fused": lambda encoder: stacked_loras(encoder, fuse=True),
    "seq_bn": lambda encoder: bottleneck(encoder, "seq_bn"),
    "double_seq_bn": lambda encoder: bottleneck(encoder, "double_seq_bn"),
    "par_bn": lambda encoder: bottleneck(encoder, "par_bn"),
    "language": language,
    "adapter_fusion_of_3": adapter_fusion,
}


if __name__ == "__main__":
    main()
