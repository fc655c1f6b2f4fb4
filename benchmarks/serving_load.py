"""The load generator of `serving.py`: a process of its own, so that it shares nothing with what it measures.

Called as `serving_load.py JOB OUTPUT`: a job as JSON, and the file that gets the answer. It speaks HTTP/1.1 over
plain sockets with requests that were rendered before; at some hundred requests a second it takes a few percent of
a core, which it measures and tells.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

MOST_CONNECTIONS = 1500
PATIENCE = 60.0
"""Seconds without an answer that make a failure."""


@dataclass(frozen=True)
class Job:
    """What to send, and how."""

    port: int
    path: str
    bodies: str
    """File of request bodies, one JSON a line."""
    seconds: float
    clients: int = 0
    """Closed loop: each sends when it has its answer."""
    rate: float = 0.0
    """Open loop: requests a second, sent when they are due, whatever became of those before."""


@dataclass
class Seen:
    """What became of the requests."""

    latencies: list[float] = field(default_factory=list)
    """Seconds, of those answered with 200."""
    in_time: int = 0
    """Those answered before the job's time was over."""
    statuses: Counter[str] = field(default_factory=Counter)
    """By status, or by kind of failure; `unsent` could not be sent since all connections were taken."""


class Connection:
    """One kept-alive connection; opened anew where the server closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: bytes) -> int:
        """The status of the answer, read to its end.

        A connection that the server closed while it was idle is opened again, as every HTTP client does.
        """
        fresh = self._streams is None
        try:
            return await self._exchange(request)
        except asyncio.IncompleteReadError as error:
            self.close()
            if fresh or error.partial:
                raise
        except ConnectionError:
            self.close()
            if fresh:
                raise
        return await self._exchange(request)

    def close(self) -> None:
        """Drops the connection."""
        if self._streams:
            self._streams[1].close()
            self._streams = None

    async def _exchange(self, request: bytes) -> int:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        headers = dict(line.split(b": ", 1) for line in lines[1:] if b": " in line)
        await _read_body(reader, headers)
        if headers.get(b"connection") == b"close":
            self.close()
        return int(lines[0].split()[1])


async def _read_body(reader: asyncio.StreamReader, headers: dict[bytes, bytes]) -> None:
    if headers.get(b"transfer-encoding") != b"chunked":
        await reader.readexactly(int(headers.get(b"content-length", b"0")))
        return
    while size := int(await reader.readline(), 16):
        await reader.readexactly(size + 2)
    await reader.readline()


def rendered(job: Job) -> list[bytes]:
    """Whole requests."""
    head = f"POST {job.path} HTTP/1.1\r\nHost: 127.0.0.1:{job.port}\r\nContent-Type: application/json\r\n"
    bodies = [line.encode() for line in Path(job.bodies).read_text(encoding="utf-8").splitlines()]
    return [f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in bodies]


async def one(connection: Connection, request: bytes, seen: Seen, until: float) -> None:
    """Sends a request and notes what became of it."""
    started = time.perf_counter()
    try:
        status = await asyncio.wait_for(connection.send(request), PATIENCE)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
        connection.close()
        seen.statuses[type(error).__name__] += 1
        return
    seen.statuses[str(status)] += 1
    if status == 200:
        ended = time.perf_counter()
        seen.latencies.append(ended - started)
        seen.in_time += ended <= until


async def closed_loop(job: Job, requests: list[bytes], seen: Seen) -> None:
    """Each client sends when it has its answer; they walk through the same texts from different places."""
    until = time.perf_counter() + job.seconds

    async def client(number: int) -> None:
        connection = Connection(job.port)
        at = number * len(requests) // job.clients
        while time.perf_counter() < until:
            await one(connection, requests[at % len(requests)], seen, until)
            at += 1
        connection.close()

    await asyncio.gather(*(client(number) for number in range(job.clients)))


async def open_loop(job: Job, requests: list[bytes], seen: Seen) -> None:
    """Requests at a steady rate on as many connections as it takes."""
    idle: list[Connection] = []
    running: set[asyncio.Task[None]] = set()

    async def send(request: bytes) -> None:
        connection = idle.pop() if idle else Connection(job.port)
        await one(connection, request, seen, started + job.seconds)
        idle.append(connection)

    started = time.perf_counter()
    for number in range(int(job.rate * job.seconds)):
        wait = started + number / job.rate - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        elif number % 64 == 0:
            await asyncio.sleep(0)  # behind the clock: let answers in all the same
        if len(running) >= MOST_CONNECTIONS:
            seen.statuses["unsent"] += 1
            continue
        task = asyncio.create_task(send(requests[number % len(requests)]))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    for connection in idle:
        connection.close()


def main(job: Job) -> dict:
    """The job's answer: requests a second, latencies in ms, statuses, and the share of a core that this took."""
    seen = Seen()
    requests = rendered(job)
    started, busy = time.perf_counter(), time.process_time()
    asyncio.run(closed_loop(job, requests, seen) if job.clients else open_loop(job, requests, seen))
    seconds = time.perf_counter() - started
    ordered = sorted(seen.latencies) or [float("nan")]
    return {
        "rps": seen.in_time / job.seconds,
        "p50": 1000 * ordered[len(ordered) // 2],
        "p99": 1000 * ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))],
        "statuses": dict(seen.statuses),
        "seconds": seconds,
        "core_percent": 100 * (time.process_time() - busy) / seconds,
    }


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(main(Job(**json.loads(sys.argv[1])))), encoding="utf-8")
