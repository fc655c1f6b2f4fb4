"""The services that `serving.py` compares: how each is started, paused and asked."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from lowres_stilts.encoder.starter import starter_model_dir
from lowres_stilts.export.bundle import export_bundle
from lowres_stilts.export.presets import PRESETS
from serving_infinity import infinity_arguments, infinity_environment, infinity_model
from serving_load import Job

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent / "adapters" / "xnli-small"
PATH = "/v1/embeddings"
START_SECONDS = 300
PEERS = ("plain", "infinity_torch", "infinity_optimum", "infinity_optimum_int8")
OWN = "lowres_stilts"


@dataclass(frozen=True)
class Service:
    """A running service."""

    name: str
    port: int
    model: str
    """What its requests name."""
    process: subprocess.Popen[bytes]

    def pause(self) -> None:
        """Stops all its processes, so that it takes nothing from the one that is measured."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Lets it go on."""
        os.killpg(self.process.pid, signal.SIGCONT)

    def resident(self) -> int:
        """Bytes of resident memory, of all its processes together."""
        root = psutil.Process(self.process.pid)
        return sum(own.memory_info().rss for own in [root, *root.children(recursive=True)])

    def embed(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Vectors `[texts, hidden]`."""
        body = json.dumps({"input": list(texts), "model": self.model}).encode()
        address = f"http://127.0.0.1:{self.port}{PATH}"
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return np.array([own["embedding"] for own in json.load(answer)["data"]])

    def figures(self) -> dict[str, float]:
        """What `/metrics` says, without labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=60) as answer:
            lines = [line.split() for line in answer.read().decode().splitlines() if not line.startswith("#")]
        return {line[0]: float(line[1]) for line in lines if len(line) == 2 and "{" not in line[0]}

    def load(self, texts: Sequence[str], scratch: Path, **job: float) -> dict:
        """What the load generator, a process of its own, says of one job."""
        bodies = scratch / f"{self.name}.jsonl"
        if not bodies.exists():
            lines = (json.dumps({"input": [text], "model": self.model}) for text in texts)
            bodies.write_text("\n".join(lines), encoding="utf-8")
        output = scratch / "load.json"
        given = json.dumps(asdict(Job(self.port, PATH, str(bodies), **job)))
        subprocess.run([sys.executable, "-P", HERE / "serving_load.py", given, output], check=True)
        answer: dict = json.loads(output.read_text())
        return answer


@dataclass(frozen=True)
class _Start:
    """How a service is started."""

    command: list[str]
    model: str = "model"
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    """The working directory."""


@contextmanager
def running(name: str, scratch: Path) -> Iterator[Service]:
    """A service that is ready to answer, in a process group of its own."""
    port = _free_port()
    start = _start(name, port, scratch)
    log = (scratch / f"{name}.log").open("wb")
    # Every service takes the threads that it takes by itself.
    inherited = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    inherited["ORT_DISABLE_TELEMETRY"] = "1"
    process = subprocess.Popen(
        start.command, cwd=start.folder, env={**inherited, **start.environment}, stdout=log, stderr=log,
        start_new_session=True,
    )  # fmt: skip
    service = Service(name, port, start.model, process)
    try:
        _wait(service, scratch)
        yield service
    finally:
        _end(service)
        log.close()


def bundle(scratch: Path) -> Path:
    """The starter in int8 with its whole vocabulary, as a service would have it."""
    folder = scratch / "bundle"
    if not folder.exists():
        export_bundle([PACKAGE], folder, storage=PRESETS["server-cpu"])
    return folder


def _start(name: str, port: int, scratch: Path) -> _Start:
    if name == OWN:
        folder = bundle(scratch)
        return _Start(
            [sys.executable, "-m", "lowres_stilts", "serve", str(folder), "--port", str(port)], folder.name
        )
    model = starter_model_dir()
    if name == "plain":
        return _Start([sys.executable, "-P", str(HERE / "serving_plain.py"), str(model), str(port)])
    engine, _, precision = name.removeprefix("infinity_").partition("_")
    if engine == "optimum":
        model = infinity_model(model, quantized=precision == "int8")
    return _Start(infinity_arguments(port, engine), "model", infinity_environment(scratch, model), model)


def _end(service: Service) -> None:
    """Lets it end by itself, and ends it where it does not."""
    if service.process.poll() is not None:
        return
    service.resume()
    os.killpg(service.process.pid, signal.SIGTERM)
    try:
        service.process.wait(60)
    except subprocess.TimeoutExpired:
        os.killpg(service.process.pid, signal.SIGKILL)
        service.process.wait()


def _free_port() -> int:
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return int(own.getsockname()[1])


def _wait(service: Service, scratch: Path) -> None:
    """Until it answers.

    Raises:
        RuntimeError: it ended, or does not answer in time; what it said is in the message.
    """
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and service.process.poll() is None:
        try:
            service.embed(["ready?"])
        except (OSError, urllib.error.URLError):
            time.sleep(0.5)
        else:
            return
    said = (scratch / f"{service.name}.log").read_text(errors="replace")[-2000:]
    raise RuntimeError(f"{service.name} does not answer:\n{said}")
