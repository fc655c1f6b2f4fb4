"""Memory of a service whose adapter is loaded, asked and unloaded again and again.

    python benchmarks/adapter_loads.py --loads 10000 --output adapter_loads.json

The starter with XNLI's adapter in the bundle, and the same one once more in the watched folder. An admin loads and
unloads that one; in between both answer, at the same time. Resident memory after every tenth.
"""

import sys

# A neighbour of this file bears the name of the onnx library.
sys.path.append(sys.path.pop(0))

import argparse
import json
import os
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil

from lowres_stilts.export.bundle import export_bundle
from lowres_stilts.export.onto import export_adapter
from lowres_stilts.export.presets import PRESETS
from lowres_stilts.runtime.manifest import SUFFIX
from lowres_stilts.runtime.sums import write_sums
from lowres_stilts.serving.keys import add_key
from report import MB, Result, print_results, write_report

PACKAGE = Path(__file__).resolve().parents[1] / "adapters" / "xnli-small"
NAME = "again"
WARM_UP = 200
"""Loads before the first look: onnxruntime and the allocator fill their pools."""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loads", type=int, default=10_000)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        results = load_results(given.loads, Path(scratch))
    print_results("an adapter loaded and unloaded", results)
    if given.output:
        write_report(given.output, results, setup={"loads": given.loads})


def load_results(loads: int, scratch: Path) -> list[Result]:
    """Resident memory, and the time of a load."""
    export_bundle([PACKAGE], scratch / "bundle", storage=PRESETS["server-cpu"])
    adapter_folder(scratch)
    key = add_key(scratch / "admin.yaml", "root")
    command = [
        sys.executable, "-m", "lowres_stilts", "serve", str(scratch / "bundle"), "--port", "0",
        "--adapters", str(scratch / "adapters"), "--admin-keys", str(scratch / "admin.yaml"),
    ]  # fmt: skip
    with (scratch / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=address(scratch / "log"), timeout=60) as client, ThreadPoolExecutor(2) as pool:
            client.headers["authorization"] = f"Bearer {key}"
            return measured(client, pool, psutil.Process(process.pid), loads)
    finally:
        process.terminate()
        process.wait(60)


def adapter_folder(scratch: Path) -> None:
    """The adapter once more, under another name."""
    folder = scratch / "adapters" / NAME
    folder.parent.mkdir()
    export_adapter(PACKAGE, scratch / "bundle", folder)
    described = json.loads((folder / "adapter.json").read_text())
    (folder / f"{described['adapter']['name']}{SUFFIX}").rename(folder / f"{NAME}{SUFFIX}")
    described["adapter"]["name"] = NAME
    (folder / "adapter.json").write_text(json.dumps(described))
    write_sums(folder)


def address(log: Path) -> str:
    """Where the service listens, once it is ready."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        if any(line["event"] == "ready" for line in lines):
            return next(line["url"] for line in lines if line["event"] == "listening")
        time.sleep(0.2)
    raise RuntimeError(log.read_text())


def measured(client: httpx.Client, pool: ThreadPoolExecutor, process: psutil.Process, loads: int) -> list[Result]:
    """Loads, asks and unloads."""
    for _ in range(WARM_UP):
        once(client, pool)
    found = [Result("rss_mb.0", process.memory_info().rss / MB, "MB", 1)]
    seconds = 0.0
    for number in range(1, loads + 1):
        seconds += once(client, pool)
        if number % (loads // 10) == 0:
            found.append(Result(f"rss_mb.{number}", process.memory_info().rss / MB, "MB", 1))
    grown = found[-1].value - found[0].value
    files = process.num_fds() if os.name == "posix" else process.num_handles()
    return [
        Result("growth_mb", grown, "MB", loads),
        Result("growth_bytes_per_load", grown * MB / loads, "B", loads),
        Result("load_ms", 1000 * seconds / loads, "ms", loads),
        Result("open_files", files, "files", 1),
        *found,
    ]


def once(client: httpx.Client, pool: ThreadPoolExecutor) -> float:
    """One round; the seconds of its load."""

    def ask(adapter: str) -> None:
        body = {"inputs": ["Paka alikaa.", "Mnyama amekaa."], "adapter": adapter}
        client.post("/predict", json=body).raise_for_status()

    started = time.perf_counter()
    client.post("/admin/adapters", json={"name": NAME}).raise_for_status()
    seconds = time.perf_counter() - started
    list(pool.map(ask, (NAME, "xnli-small")))
    client.delete(f"/admin/adapters/{NAME}").raise_for_status()
    return seconds


if __name__ == "__main__":
    main()
