"""Training on a machine that others use, by how threads wait for each other.

They spin, as libraries have it; sleep; or spin shortly before they sleep, as `lowres-stilts` has them. A process
for each trains the same small encoder. They take turns, some updates with one thread, some with all; then the same
again beside as many busy processes as cores.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from lowres_stilts.libraries import SPINS
from lowres_stilts.libraries import WAITING as VARIABLES
from report import Result, print_results, write_report

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
WAITING = {
    "spinning": {"OMP_WAIT_POLICY": ""},
    "sleeping": {"OMP_WAIT_POLICY": "passive"},
    "shortly": {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": SPINS},
}
"""As libraries have it, and with what `lowres-stilts` sets."""
SEQUENCES, LENGTH = 8, 64
BUSY = "while True: pass"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two rounds instead of six")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write machine, versions and results here")
    parser.add_argument("--trainer", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.trainer:
        _train()
        return
    raw = list(_rounds(2 if arguments.quick else 6))
    results = [
        Result(f"tokens_per_s_{busy}_busy_{threads}_{waiting}", round(median(rates), 1), "tokens/s", len(rates))
        for (busy, waiting, threads), rates in _by_setting(raw).items()
    ]
    print_results("threads", results)
    if arguments.json:
        write_report(arguments.json, results, setup={"about": __doc__}, raw=raw)


def _by_setting(raw: list[dict[str, Any]]) -> dict[tuple[int, str, int], list[float]]:
    found: dict[tuple[int, str, int], list[float]] = {}
    for one in raw:
        found.setdefault((one["busy"], one["waiting"], one["threads"]), []).append(one["tokens_per_s"])
    return found


def _rounds(count: int) -> Iterator[dict[str, Any]]:
    with ExitStack() as stack:
        trainers = {waiting: stack.enter_context(_trainer(waiting)) for waiting in WAITING}
        for busy in (0, CORES):
            with ExitStack() as load:
                for _ in range(busy):
                    load.enter_context(_process([sys.executable, "-c", BUSY]))
                for _ in range(count):
                    for waiting, trainer in trainers.items():
                        for threads in (1, CORES):
                            rate = _asked(trainer, f"{threads} 3")
                            load_now = round(os.getloadavg()[0], 1)
                            yield {
                                "busy": busy,
                                "waiting": waiting,
                                "threads": threads,
                                "tokens_per_s": rate,
                                "load": load_now,
                            }


@contextmanager
def _process(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, text=True, **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def _trainer(waiting: str) -> Iterator[subprocess.Popen[str]]:
    environment = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    environment |= {key: value for key, value in WAITING[waiting].items() if value}
    environment |= {"OMP_NUM_THREADS": str(CORES)}
    command = [sys.executable, __file__, "--trainer"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with _process(command, env=environment, **pipes) as process:
        _asked(process, f"{CORES} 1")
        yield process


def _asked(trainer: subprocess.Popen[str], words: str) -> float:
    assert trainer.stdin is not None  # noqa: S101 it was asked for
    assert trainer.stdout is not None  # noqa: S101
    trainer.stdin.write(f"{words}\n")
    trainer.stdin.flush()
    return float(json.loads(trainer.stdout.readline()))


def _train() -> None:
    """For each line, so many threads and updates, says how many tokens a second they made."""
    import torch  # noqa: PLC0415

    from gpu_costs import TASK, Bed  # noqa: PLC0415
    from gpu_models import random_encoder  # noqa: PLC0415
    from lowres_stilts.pipeline.estimate import batch_of  # noqa: PLC0415
    from lowres_stilts.training.plan import Job  # noqa: PLC0415

    bed = Bed(random_encoder("small", torch.device("cpu")), updates=1000)
    updater = bed.updater(Job(TASK, None, 0))  # type: ignore[arg-type] # it is never batched
    batch = batch_of(TASK, SEQUENCES, LENGTH)
    bed.network.train()
    for line in sys.stdin:
        threads, updates = map(int, line.split())
        torch.set_num_threads(threads)
        started = time.perf_counter()
        for _ in range(updates):
            (updater.loss(TASK.name, batch) / batch.ids.size).backward()  # type: ignore[no-untyped-call]
            bed.optimizer.accumulate()
            bed.optimizer.step(0)
        print(updates * batch.ids.size / (time.perf_counter() - started), flush=True)


if __name__ == "__main__":
    main()
