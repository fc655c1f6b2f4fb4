"""Memory that one request takes in the service, from a thousand characters to the limit.

    python benchmarks/serving_memory.py --output serving_memory.json

A service over an int8 bundle of three adapters is started for every figure, and answers requests of 1,000
characters first, so that graphs are open and buffers of a batch are there. The figure is the peak of its resident
memory during one request, less what was resident before. To measure an older version, have `PYTHONPATH` name its
source.
"""

import argparse
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from report import MB, Result, print_results, write_report

ADAPTERS = ("xnli-small", "panx-small", "tydiqa-small")
PAIRS, TAGS, ANSWERS = ADAPTERS
SIZES = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
SENTENCE = (
    "Miriam Makeba was born in Johannesburg in 1932, and sang in Swahili, Zulu and Xhosa for all of Africa. "
)
WARM_UP = 4
"""Requests of the smallest size, before what is measured."""
ROUTES: dict[str, Callable[[str], Any]] = {
    "/predict": lambda text: {"inputs": [text, text], "adapter": PAIRS, "truncate": True},
    "/text-classification": lambda text: {"inputs": {"text": text, "text_pair": text}, "adapter": PAIRS},
    "/token-classification": lambda text: {"inputs": text, "adapter": TAGS},
    "/question-answering": lambda text: {"inputs": {"question": "Where?", "context": text}, "adapter": ANSWERS},
    "/embed": lambda text: {"inputs": text, "truncate": True},
}
"""Each with its body; `/predict` and `/text-classification` get two texts of the size."""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="characters of a text")
    parser.add_argument("--bundle", type=Path, help="one that was exported before")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        bundle = arguments.bundle or _exported(Path(scratch) / "bundle")
        found = {
            (route, size): _request_memory(bundle, route, size, Path(scratch))
            for route in ROUTES
            for size in arguments.sizes
        }
    print(_table(found, arguments.sizes))
    results = [Result(f"{route[1:]}_{size}_mb", own, "MB", 1) for (route, size), own in found.items()]
    print_results("Peak of memory during one request, over what was resident before", results)
    if arguments.output:
        write_report(arguments.output, results, setup={"adapters": ADAPTERS, "sizes": arguments.sizes})


def _exported(folder: Path) -> Path:
    packages = [str(Path(__file__).resolve().parents[1] / "adapters" / name) for name in ADAPTERS]
    command = [sys.executable, "-m", "lowres_stilts", "export", *packages, "--output", str(folder)]
    subprocess.run(command, check=True)
    return folder


def _request_memory(bundle: Path, route: str, size: int, scratch: Path) -> float:
    """MB, of a service that was just started."""
    with _service(bundle, scratch) as (process, port):
        for _ in range(WARM_UP):
            _post(port, route, min(SIZES))
        time.sleep(0.5)
        (Path("/proc") / str(process.pid) / "clear_refs").write_text("5")  # the peak begins anew
        before = _status(process.pid, "VmRSS")
        _post(port, route, size)
        return (_status(process.pid, "VmHWM") - before) / MB


def _status(pid: int, key: str) -> int:
    """Bytes, as Linux counts them."""
    found = re.search(rf"{key}:\s+(\d+) kB", (Path("/proc") / str(pid) / "status").read_text())
    if found is None:
        raise RuntimeError(f"/proc/{pid}/status has no {key}")
    return int(found[1]) * 1024


def _post(port: int, route: str, size: int) -> None:
    text = (SENTENCE * (size // len(SENTENCE) + 1))[:size]
    body = json.dumps(ROUTES[route](text)).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{route}", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
        answer.read()


@contextmanager
def _service(bundle: Path, scratch: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        port = int(own.getsockname()[1])
    config = scratch / "service.yaml"
    config.write_text("queue: {deadline_seconds: 120}\n")
    command = [sys.executable, "-m", "lowres_stilts", "serve", str(bundle), "--config", str(config)]
    process = subprocess.Popen([*command, "--port", str(port)], stderr=subprocess.DEVNULL)
    try:
        _wait(process, port)
        yield process, port
    finally:
        process.terminate()
        process.wait(60)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
    raise RuntimeError("the service ended; start it by hand to see why")


def _table(found: dict[tuple[str, int], float], sizes: list[int]) -> str:
    """As in RESULTS.md."""
    lines = [
        f"| characters of a text | {' | '.join(f'{size:,}' for size in sizes)} |",
        "|---" * (len(sizes) + 1) + "|",
    ]
    lines += [f"| `{route}` | {' | '.join(f'{found[route, size]:.1f}' for size in sizes)} |" for route in ROUTES]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
