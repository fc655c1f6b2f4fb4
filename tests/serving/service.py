"""Starts the service as an operator does, in a process of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import yaml

COMMAND = [sys.executable, "-m", "lowres_stilts", "serve"]
PATIENCE = 60
"""Seconds; the machine may be busy."""


@dataclass
class Running:
    """A service that answers."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def client(self, **settings: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=PATIENCE, **settings)

    def post(self, path: str, body: Any, **settings: Any) -> httpx.Response:
        return httpx.post(self.url + path, json=body, timeout=PATIENCE, **settings)

    def get(self, path: str, **settings: Any) -> httpx.Response:
        return httpx.get(self.url + path, timeout=PATIENCE, **settings)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def memory(self) -> int:
        """Resident bytes."""
        return resident(self.process.pid)

    def end(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE)


def resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def service(*arguments: object, environment: dict[str, str] | None = None, **settings: Any) -> Iterator[Running]:
    """A service on a free port; `settings` are those of its file."""
    with TemporaryDirectory() as folder:
        running = start(Path(folder), *arguments, environment=environment, **settings)
        try:
            wait_until_ready(running)
            yield running
        finally:
            if running.process.poll() is None:
                running.process.kill()
            running.process.wait()


def start(
    folder: Path, *arguments: object, environment: dict[str, str] | None = None, port: int = 0, **settings: Any
) -> Running:
    """Starts it and waits until it listens, not until it is ready."""
    given = {"watch_seconds": 0.1, "threads": 1, **settings}
    config = folder / "service.yaml"
    config.write_text(yaml.safe_dump(given))
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments), "--config", str(config), "--port", str(port)],
            stdout=output,
            stderr=output,
            env={**os.environ, **(environment or {})},
        )
    running = Running("", process, log)
    try:
        running.url = _announced(running)
    except BaseException:
        process.kill()
        raise
    return running


def wait_until_ready(running: Running) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert running.process.poll() is None, running.log.read_text()
        try:
            if running.get("/health").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"not ready: {running.log.read_text()}")


def _announced(running: Running) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for line in running.log.read_text().splitlines():
            if '"listening"' in line:
                return str(json.loads(line)["url"])
        assert running.process.poll() is None, running.log.read_text()
        time.sleep(0.02)
    raise AssertionError("does not listen")
