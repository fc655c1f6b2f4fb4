"""Twice the capacity for minutes: what fails, and whether memory stays."""

import threading
from pathlib import Path
from statistics import median

from report import MB, Result
from serving_services import OWN, Service, running

CLIENTS = 64
ALLOWED = {"200", "429", "503"}
WARM_UP, WINDOW = 0.15, 0.1
"""Shares of the soak: what is not looked at, and over how much of it memory is averaged at both ends."""


def soak_results(texts: list[str], scratch: Path, seconds: float) -> tuple[list[Result], dict]:
    """Failures other than 429 and 503, and growth of resident memory after the warm-up."""
    with running(OWN, scratch) as service:
        service.load(texts, scratch, clients=CLIENTS, seconds=min(5.0, seconds / 4))
        capacity = service.load(texts, scratch, clients=CLIENTS, seconds=min(10.0, seconds / 2))["rps"]
        samples: list[int] = []
        done = threading.Event()
        watcher = threading.Thread(target=_sample, args=(service, samples, done))
        watcher.start()
        seen = service.load(texts, scratch, rate=2 * capacity, seconds=seconds)
        done.set()
        watcher.join()
        least = float((service.embed(texts[:1]) ** 2).sum())  # it still answers
    statuses = seen["statuses"]
    failures = sum(count for status, count in statuses.items() if status not in ALLOWED | {"unsent"})
    window = max(1, int(WINDOW * len(samples)))
    first = median(samples[int(WARM_UP * len(samples)) :][:window])
    last = median(samples[-window:])
    asked = sum(statuses.values())
    results = [
        Result("soak_failures", failures, "requests", asked),
        Result("soak_rss_growth_percent", 100 * (last / first - 1), "%", len(samples)),
        Result("soak_rss_mb", last / MB, "MB", window),
        Result("soak_seconds", seconds, "s", 1),
        Result("soak_capacity_rps", capacity, "requests/s", 1),
        Result("soak_sent_rps", (asked - statuses.get("unsent", 0)) / seconds, "requests/s", asked),
        Result("soak_answered_rps", seen["rps"], "requests/s", statuses.get("200", 0)),
        Result("soak_unsent", statuses.get("unsent", 0), "requests", asked),
        Result("soak_refused_percent", 100 * _refused(statuses) / asked, "%", asked),
        Result("soak_p99_ms", seen["p99"], "ms", statuses.get("200", 0)),
    ]
    return results, {"soak": seen, "norm_after": least}


def _refused(statuses: dict[str, int]) -> int:
    return statuses.get("429", 0) + statuses.get("503", 0)


def _sample(service: Service, samples: list[int], done: threading.Event) -> None:
    while not done.wait(0.5):
        samples.append(service.resident())
