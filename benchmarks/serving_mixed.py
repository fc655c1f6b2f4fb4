"""Texts of mixed lengths: a fresh service after pings, one heavy client among light ones, twice the capacity.

A refusal counts as one while capacity was free where, at its moment, the requests that were let in and not
answered had fewer tokens than one full batch for each run.
"""

import json
import math
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from lowres_stilts.serving.settings import Queue
from report import MB, Result
from serving_clients import Client, ClientsJob, Event
from serving_services import OWN, Service, bundle, running
from serving_texts import Request, Texts, write_requests

HERE = Path(__file__).resolve().parent
ALLOWED = {"200", "429", "503"}
PINGS, AT_ONCE, CHARACTERS = 60, 8, 2000
"""Of an idle start: pings of one character, and then so many clients with one text of so many characters each."""
LIGHT_CLIENTS, LIGHT_PAUSE = 16, 0.5
HEAVY_CONNECTIONS = 2
MIXED_CLIENTS = 16
WARM_UP, WINDOW = 0.15, 0.1
"""Shares of the soak: what is not looked at, and over how much of it memory is averaged at both ends."""


@dataclass
class Seen:
    """What was measured, over all rounds."""

    figures: dict[str, list[float]] = field(default_factory=dict)
    raw: list[dict] = field(default_factory=list)

    def note(self, name: str, value: float) -> None:
        """One measurement; none where nothing was answered."""
        if not math.isnan(value):
            self.figures.setdefault(name, []).append(value)


@dataclass(frozen=True)
class Traffic:
    """Sends requests to a service and says what became of them."""

    service: Service
    scratch: Path
    seen: Seen
    idle: int
    """Bytes of resident memory before there was any load."""

    def send(self, name: str, requests: Sequence[Request], clients: list[Client], **job: float) -> list[Event]:
        """The events of one job; refusals and failures are noted."""
        files = [self.scratch / f"clients-{part}.json" for part in ("requests", "job", "events")]
        write_requests(files[0], requests)
        given = ClientsJob(self.service.port, str(files[0]), clients, **job)
        files[1].write_text(json.dumps(asdict(given)), encoding="utf-8")
        subprocess.run([sys.executable, HERE / "serving_clients.py", *files[1:]], check=True)
        answer = json.loads(files[2].read_text(encoding="utf-8"))
        events = [Event(**event) for event in answer["events"]]
        self.seen.note("refusals_while_free", refused_while_free(events, requests))
        statuses: dict[str, int] = {}
        for event in events:
            statuses[event.status] = statuses.get(event.status, 0) + 1
        self.seen.note("mixed_failures", sum(count for key, count in statuses.items() if key not in ALLOWED))
        facts = {key: answer[key] for key in ("unsent", "seconds", "core_percent")}
        self.seen.raw.append({"job": name, "statuses": statuses, **facts})
        return events


def mixed_results(scratch: Path, rounds: int, seconds: float, soak: float) -> tuple[list[Result], list[dict]]:
    """All scenarios; every round has a fresh service, and the soak the last one."""
    texts = Texts(bundle(scratch))
    seen = Seen()
    for turn in range(rounds):
        with running(OWN, scratch) as service:
            traffic = Traffic(service, scratch, seen, service.resident())
            idle_start(traffic, texts)
            with memory_watched(service) as samples:
                heavy_among_light(traffic, texts, seconds)
            seen.note("heavy_peak_over_idle_mb", (max(samples) - traffic.idle) / MB)
            if soak and turn == rounds - 1:
                mixed_soak(traffic, texts, soak)
    results = [
        Result(name, _SUMMED.get(name, median)(own), _unit(name), len(own)) for name, own in seen.figures.items()
    ]
    return results, [*seen.raw, {"figures": seen.figures, "real_texts": texts.is_real}]


def idle_start(traffic: Traffic, texts: Texts) -> None:
    """Pings of one client, and then long texts of several at the same moment."""
    long = [texts.embed([texts.document(CHARACTERS, CHARACTERS)]) for _ in range(AT_ONCE)]
    traffic.send("pings", [texts.embed(["a"])], [Client("10.0.0.1", [0], most=PINGS)], seconds=60)
    clients = [Client(f"10.0.1.{number}", [number], most=1) for number in range(AT_ONCE)]
    events = traffic.send("idle start", long, clients, seconds=60)
    traffic.seen.note("idle_start_refusals", _refused(events))


def heavy_among_light(traffic: Traffic, texts: Texts, seconds: float) -> None:
    """How long a batch takes while the heavy client is alone, and what light ones wait beside it."""
    requests = [texts.heavy() for _ in range(4)] + [texts.light() for _ in range(50 * LIGHT_CLIENTS)]
    heavy = Client("10.0.2.1", [0, 1, 2, 3], HEAVY_CONNECTIONS)
    light = [
        Client(f"10.0.3.{number}", list(range(4 + 50 * number, 54 + 50 * number)), pause=LIGHT_PAUSE)
        for number in range(LIGHT_CLIENTS)
    ]
    before = traffic.service.figures()
    traffic.send("heavy alone", requests, [heavy], seconds=max(4.0, seconds / 4))
    after = traffic.service.figures()
    spent, runs = (after[key] - before[key] for key in (f"{OWN}_run_seconds_sum", f"{OWN}_runs_total"))
    events = traffic.send("heavy among light", requests, [heavy, *light], seconds=seconds)
    own = [event for event in events if event.client]
    batch, p99 = 1000 * spent / runs, _quantile(own, 0.99)
    note = traffic.seen.note
    note("heavy_batch_ms", batch)
    note("heavy_light_p50_ms", _quantile(own, 0.5))
    note("heavy_light_p99_ms", p99)
    note("heavy_light_p99_batches", p99 / batch)
    note("heavy_light_answered", sum(event.status == "200" for event in own))
    note("heavy_light_refusals", _refused(own))
    note("heavy_answered", len(events) - len(own) - _refused(events) + _refused(own))
    note("heavy_refusals", _refused(events) - _refused(own))


def mixed_soak(traffic: Traffic, texts: Texts, seconds: float) -> None:
    """Twice what as many clients got in a closed loop, whatever comes back."""
    requests = [texts.mixed() for _ in range(1600)]
    share = len(requests) // MIXED_CLIENTS
    clients = [
        Client(f"10.0.4.{number}", list(range(share * number, share * (number + 1))))
        for number in range(MIXED_CLIENTS)
    ]
    span = min(30.0, seconds / 2)
    capacity = (
        sum(event.status == "200" for event in traffic.send("capacity", requests, clients, seconds=span)) / span
    )
    note = traffic.seen.note
    with memory_watched(traffic.service) as samples:
        events = traffic.send("mixed soak", requests, clients, seconds=seconds, rate=2 * capacity)
    traffic.service.embed(["does it still answer?"])
    window = max(1, int(WINDOW * len(samples)))
    first = median(samples[int(WARM_UP * len(samples)) :][:window])
    note("mixed_soak_seconds", seconds)
    note("mixed_soak_failures", sum(event.status not in ALLOWED for event in events))
    note("mixed_soak_refusals_while_free", refused_while_free(events, requests))
    note("mixed_soak_capacity_rps", capacity)
    note("mixed_soak_sent_rps", len(events) / seconds)
    note("mixed_soak_answered_rps", sum(event.status == "200" for event in events) / seconds)
    note("mixed_soak_refused_percent", 100 * _refused(events) / len(events))
    note("mixed_soak_gave_up_percent", 100 * sum(event.status == "503" for event in events) / len(events))
    note("mixed_soak_p99_ms", _quantile(events, 0.99))
    note("mixed_soak_rss_growth_percent", 100 * (median(samples[-window:]) / first - 1))
    note("mixed_soak_peak_over_idle_mb", (max(samples) - traffic.idle) / MB)


def refused_while_free(events: Sequence[Event], requests: Sequence[Request]) -> int:
    """Refusals at whose moment there was less under way than one full batch for each run."""
    queue = Queue()
    free = queue.runs * queue.tokens_per_run
    tokens = [request.tokens for request in requests]
    changes = [(event.start, tokens[event.request]) for event in events if event.status != "429"]
    changes += [(event.end, -tokens[event.request]) for event in events if event.status != "429"]
    changes.sort()
    found = under_way = at = 0
    for moment in sorted(event.end for event in events if event.status == "429"):
        while at < len(changes) and changes[at][0] <= moment:
            under_way += changes[at][1]
            at += 1
        found += under_way < free
    return found


@contextmanager
def memory_watched(service: Service) -> Iterator[list[int]]:
    """Samples of resident memory, in bytes, while something else is done."""
    samples = [service.resident()]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            samples.append(service.resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield samples
    finally:
        done.set()
        watcher.join()


def _refused(events: Sequence[Event]) -> int:
    return sum(event.status == "429" for event in events)


def _quantile(events: Sequence[Event], share: float) -> float:
    """Milliseconds, of those that were answered."""
    ordered = sorted(event.end - event.start for event in events if event.status == "200") or [float("nan")]
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


_SUMMED = dict.fromkeys(
    ("refusals_while_free", "mixed_failures", "idle_start_refusals", "heavy_light_refusals", "heavy_refusals"), sum
)


def _unit(name: str) -> str:
    units = {"ms": "ms", "mb": "MB", "rps": "requests/s", "percent": "%", "batches": "batches", "seconds": "s"}
    return units.get(name.rpartition("_")[2], "requests")
