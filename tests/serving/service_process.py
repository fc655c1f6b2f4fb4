"""The service as an operator starts it: the command, in a process of its own."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

START_SECONDS = 60
RUN = "from lowres_stilts.cli import main; main()"


@contextlib.contextmanager
def service_process(log: Path, bundle: Path, *options: str) -> Iterator[str]:
    """The address of a service over a bundle that is ready to answer; it is ended afterwards."""
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        port = own.getsockname()[1]
    command = [sys.executable, "-c", RUN, "serve", str(bundle), "--port", str(port), "--threads", "1", *options]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ)
        address = f"http://127.0.0.1:{port}"
        try:
            _wait(process, address, log)
            yield address
        finally:
            process.terminate()
            process.wait(60)


def asked(address: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """The JSON that a route answers with; text where it is none."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{address}{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read().decode()
        return json.loads(text) if "json" in answer.headers["Content-Type"] else text


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            asked(address, "/health")
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"the service does not answer:\n{log.read_text(errors='replace')[-2000:]}")
