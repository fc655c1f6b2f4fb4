"""What is worth knowing of a GPU in ten minutes, in order; each part in a process and a time box of its own.

Findings are written as they come, and a part that fails or takes too long does not stop the others:

machine   what the card is
truth     twenty updates and the predictions after them, on the card and on the CPU, in every way to train
tests     the tests of training and of whole runs, on the card
counts    launches, waits and copies of an update
memory    peak memory of XLM-R base to XXL in NF4 at 8,192 tokens an update, and the planner's prediction
speed     tokens a second beside plain and tuned PEFT scripts and full fine-tuning
recipe    a small recipe from its start to its scores
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lowres_stilts.libraries import quiet_libraries
from lowres_stilts.storage import write_json
from report import machine, versions

ROOT = Path(__file__).resolve().parent.parent
BOXES = {"machine": 40, "truth": 150, "tests": 150, "counts": 60, "memory": 120, "speed": 120, "recipe": 90}
"""Seconds that each part may take."""
FINDING = "-> "
"""How a line with a finding begins."""
QUICK_FACTOR = 6
"""How much longer a part may take on a CPU."""
ROOMS = (
    "tests/training/test_loop.py",
    "tests/training/test_frugal.py",
    "tests/training/test_optimizer.py",
    *(f"tests/pipeline/test_{name}.py" for name in ("run", "tasks", "kill", "scale")),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="small models, for a CPU: minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write findings here")
    parser.add_argument("--parts", default=",".join(BOXES), help="of those above, by commas")
    parser.add_argument(
        "--together", action="store_true", help="parts in one process, which imports libraries once"
    )
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    quiet_libraries()
    if arguments.child:
        _child(arguments)
        return
    with tempfile.TemporaryDirectory() as scratch:
        arguments.scratch = Path(scratch)
        raise SystemExit(_all(arguments))


def _all(arguments: argparse.Namespace) -> int:
    """Runs the parts; 1 where any failed."""
    parts = arguments.parts.split(",")
    reference = None
    if arguments.device == "cuda" and "truth" in parts:
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
        reference = subprocess.Popen(_command("reference", arguments), env=environment, cwd=ROOT)
    report: dict[str, Any] = {"device": arguments.device, "quick": arguments.quick, "parts": {}}
    failed = False
    for part in parts:
        found = _together(part, arguments) if arguments.together else _part(part, arguments)
        report["parts"][part] = found
        failed = failed or not found["ok"]
        if arguments.json:
            write_json(arguments.json, {**report, "machine": machine(), "versions": versions()})
    if reference is not None:
        reference.kill()
        reference.wait()
    return int(failed)


def _command(part: str, arguments: argparse.Namespace) -> list[str]:
    options = ["--child", part, "--device", arguments.device, "--scratch", str(arguments.scratch)]
    return [sys.executable, __file__, *options, *(["--quick"] if arguments.quick else [])]


def _together(part: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """The findings of a part in this process; it is stopped between two of them where time is over."""
    print(f"== {part}", flush=True)
    started, findings, ended = time.perf_counter(), [], "in time"
    try:
        for finding in PARTS[part](arguments):
            findings.append(finding)
            print(FINDING + json.dumps(finding), flush=True)
            if time.perf_counter() - started > BOXES[part]:
                ended = "out of time"
                break
    except Exception as error:
        ended = f"{type(error).__name__}: {error}"
        traceback.print_exc()
    seconds = time.perf_counter() - started
    print(f"-- {part}: {seconds:.0f} s, {ended}", flush=True)
    ok = ended == "in time" and all(each.get("ok", True) for each in findings)
    return {"ok": ok, "ended": ended, "seconds": seconds, "findings": findings}


def _part(part: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """The findings of a part in a process of its own, as far as it came."""
    print(f"== {part}", flush=True)
    box = BOXES[part] * (QUICK_FACTOR if arguments.device == "cpu" else 1)
    command = _command(part, arguments)
    started = time.perf_counter()
    findings, ended, told = [], "in time", ""
    with tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT)
        assert child.stdout is not None  # noqa: S101
        watchdog = threading.Timer(box, child.kill)
        watchdog.start()
        for line in child.stdout:
            if line.startswith(FINDING):
                findings.append(json.loads(line.removeprefix(FINDING)))
            print(line, end="", flush=True)
        code = child.wait()
        watchdog.cancel()
        if code != 0:
            ended = "out of time" if code == -signal.SIGKILL else f"exit code {code}"
            errors.seek(0)
            told = errors.read()[-3000:]
            print(f"{part}: {ended}\n{told}", flush=True)
    seconds = time.perf_counter() - started
    print(f"-- {part}: {seconds:.0f} s, {ended}", flush=True)
    return {
        "ok": ended == "in time" and all(each.get("ok", True) for each in findings),
        "ended": ended,
        "seconds": seconds,
        "findings": findings,
        **({"errors": told} if told else {}),
    }


def _child(arguments: argparse.Namespace) -> None:
    for finding in PARTS[arguments.child](arguments):
        print(FINDING + json.dumps(finding), flush=True)


def _machine(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    import torch  # noqa: PLC0415

    from gpu_costs import device_facts  # noqa: PLC0415

    yield device_facts(torch.device(arguments.device))
    done = subprocess.run(
        [sys.executable, "-m", "lowres_stilts", "doctor", "--json"], capture_output=True, text=True, check=False
    )
    yield {"doctor": json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else done.stderr[-2000:]}


def _truth(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    import torch  # noqa: PLC0415

    from gpu_truth import truths  # noqa: PLC0415

    yield from truths(torch.device(arguments.device), arguments.scratch, quick=arguments.quick)


def _reference(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    from gpu_truth import references  # noqa: PLC0415

    references(arguments.scratch, quick=arguments.quick)
    yield from ()


def _tests(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    rooms = ("tests/training/test_loop.py",) if arguments.quick else ROOMS
    workers = 1 if arguments.quick else min(8, os.cpu_count() or 1)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "xdist",
            "-W",
            "ignore",
            f"-n{workers}",
            "-rfE",
            "--tb=short",
            *rooms,
        ],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ
        | {
            "LOWRES_STILTS_TEST_DEVICE": arguments.device,
            "OMP_NUM_THREADS": "2",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        cwd=ROOT,
    )
    lines = done.stdout.splitlines()
    yield {
        "ok": done.returncode == 0,
        "told": lines[-1:] or [done.stderr[-2000:]],
        "failed": [line for line in lines if line.startswith(("FAILED", "ERROR"))],
    }
    if done.returncode != 0:
        print("\n".join(lines[-1200:]), flush=True)


def _costs(which: str) -> Callable[[argparse.Namespace], Iterator[dict[str, Any]]]:
    def part(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
        import torch  # noqa: PLC0415

        import gpu_costs  # noqa: PLC0415

        yield from getattr(gpu_costs, which)(torch.device(arguments.device), quick=arguments.quick)

    return part


def _recipe(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    from dataclasses import replace  # noqa: PLC0415

    from gpu_costs import SMALL_RECIPE  # noqa: PLC0415
    from memory_recipes import write_model, write_recipe  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        case = replace(SMALL_RECIPE, settings={"device": arguments.device})
        path = write_recipe(case, write_model(case.model, folder), folder / "recipe")
        environment = os.environ | {"LOWRES_STILTS_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1"}
        run = [sys.executable, "-m", "lowres_stilts"]
        for words in (
            ["plan", str(path), "--json"],
            ["run", str(path), "-o", str(folder / "run"), "--json"],
            ["run", str(path), "-o", str(folder / "run"), "--resume", "--json"],
        ):
            started = time.perf_counter()
            done = subprocess.run([*run, *words], capture_output=True, text=True, check=False, env=environment)
            told = json.loads(done.stdout) if done.returncode == 0 else done.stderr[-3000:]
            if isinstance(told, dict):
                told = {key: told[key] for key in ("cost", "phases", "device", "fits") if key in told}
            seconds = time.perf_counter() - started
            yield {"ok": done.returncode == 0, "command": words[0], "seconds": seconds, "told": told}


PARTS: Mapping[str, Callable[[argparse.Namespace], Iterator[dict[str, Any]]]] = {
    "reference": _reference,
    "machine": _machine,
    "truth": _truth,
    "tests": _tests,
    "counts": _costs("counts"),
    "memory": _costs("memory"),
    "speed": _costs("speed"),
    "recipe": _recipe,
}

if __name__ == "__main__":
    main()
