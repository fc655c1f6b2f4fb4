"""Clients with addresses of their own, a process of its own: what each sent, when, and what became of it.

Called as `serving_clients.py JOB OUTPUT`, both files. Addresses are told by X-Forwarded-For, which the service
believes this machine. A client sends in a closed loop over one connection or several, with pauses; or all send
together at a steady rate, whatever became of the requests before.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from serving_load import MOST_CONNECTIONS, PATIENCE, Connection

AFTER_REFUSAL = 0.25
"""Seconds until a client that was refused sends again."""


@dataclass(frozen=True)
class Client:
    """Who sends what."""

    address: str
    requests: list[int]
    """Numbers of its requests, in turn; afterwards from the first again."""
    connections: int = 1
    pause: float = 0.0
    """Mean seconds between an answer and the next request, exponentially distributed."""
    most: int = 0
    """Requests; without end where it is 0."""


@dataclass(frozen=True)
class ClientsJob:
    """Who sends, for how long."""

    port: int
    requests: str
    """File of requests, `{"path": …, "body": …}`, one JSON a line."""
    clients: list[Client]
    seconds: float
    rate: float = 0.0
    """Requests a second of all clients together, as an open loop."""


@dataclass(frozen=True)
class Event:
    """A request that was sent."""

    client: int
    request: int
    start: float
    """Seconds since the job began."""
    end: float
    status: str
    """Or the kind of failure."""


@dataclass
class Run:
    """A job under way."""

    job: ClientsJob
    bodies: list[tuple[str, bytes]]
    started: float = field(default_factory=time.perf_counter)
    events: list[Event] = field(default_factory=list)
    unsent: int = 0

    async def send(self, connection: Connection, client: int, number: int) -> str:
        """Sends a request and notes what became of it."""
        start = time.perf_counter() - self.started
        try:
            given = self.rendered(self.job.clients[client].address, number)
            status = str(await asyncio.wait_for(connection.send(given), PATIENCE))
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            connection.close()
            status = type(error).__name__
        end = time.perf_counter() - self.started
        self.events.append(Event(client, number, round(start, 5), round(end, 5), status))
        return status

    def rendered(self, address: str, number: int) -> bytes:
        """A whole request."""
        path, body = self.bodies[number]
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.job.port}\r\nContent-Type: application/json\r\n"
        return f"{head}X-Forwarded-For: {address}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    async def closed_loop(self, client: int) -> None:
        """One client on all its connections."""
        own = self.job.clients[client]
        turns = _turns(own)
        rng = random.Random(client)  # noqa: S311 - the same in every run

        async def use(connection: Connection) -> None:
            if own.pause:
                await asyncio.sleep(rng.random() * own.pause)  # not all at the same moment
            for number in turns:
                if time.perf_counter() - self.started >= self.job.seconds:
                    break
                if await self.send(connection, client, number) in {"429", "503"}:
                    await asyncio.sleep(AFTER_REFUSAL)
                if own.pause:
                    await asyncio.sleep(rng.expovariate(1 / own.pause))
            connection.close()

        await asyncio.gather(*(use(Connection(self.job.port)) for _ in range(own.connections)))

    async def open_loop(self) -> None:
        """All clients in turn, when their requests are due."""
        idle: list[Connection] = []
        running: set[asyncio.Task[None]] = set()
        turns = [_turns(client) for client in self.job.clients]

        async def use(client: int) -> None:
            connection = idle.pop() if idle else Connection(self.job.port)
            await self.send(connection, client, next(turns[client]))
            idle.append(connection)

        for number in range(int(self.job.rate * self.job.seconds)):
            wait = self.started + number / self.job.rate - time.perf_counter()
            if wait > 0 or number % 64 == 0:
                await asyncio.sleep(max(0.0, wait))
            if len(running) >= MOST_CONNECTIONS:
                self.unsent += 1
                continue
            task = asyncio.create_task(use(number % len(turns)))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)
        for connection in idle:
            connection.close()

    async def all(self) -> None:
        """Everybody."""
        if self.job.rate:
            await self.open_loop()
        else:
            await asyncio.gather(*(self.closed_loop(number) for number in range(len(self.job.clients))))


def _turns(client: Client) -> Iterator[int]:
    at = 0
    while not client.most or at < client.most:
        yield client.requests[at % len(client.requests)]
        at += 1


def main(job: ClientsJob) -> dict:
    """The job's answer: events in the order of their ends, and how many requests could not be sent."""
    lines = map(json.loads, Path(job.requests).read_text(encoding="utf-8").splitlines())
    run = Run(job, [(line["path"], json.dumps(line["body"]).encode()) for line in lines])
    busy = time.process_time()
    asyncio.run(run.all())
    seconds = time.perf_counter() - run.started
    core = 100 * (time.process_time() - busy) / seconds
    events = [asdict(event) for event in run.events]
    return {"events": events, "unsent": run.unsent, "seconds": seconds, "core_percent": core}


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    answer = main(ClientsJob(**{**given, "clients": [Client(**client) for client in given["clients"]]}))
    Path(sys.argv[2]).write_text(json.dumps(answer), encoding="utf-8")
