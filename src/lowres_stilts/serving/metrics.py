"""What Prometheus sees; no label has a value that a request could choose."""

import contextlib
import glob
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from lowres_stilts.runtime.network import Row

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""Where worker processes put their figures together; prometheus_client reads it when it is imported."""
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
PREFIX = "lowres_stilts"


class Metrics:
    """The figures of one process."""

    def __init__(self, tokens_per_run: int) -> None:
        self.registry = CollectorRegistry()
        self._tokens_per_run = tokens_per_run
        own: dict[str, Any] = {"registry": self.registry, "namespace": PREFIX}
        gauge: dict[str, Any] = {**own, "multiprocess_mode": "livesum"}
        self._requests = Counter("requests", "Requests by route and status.", ["route", "status"], **own)
        self._seconds = Histogram("request_seconds", "From head to last byte.", ["route"], buckets=SECONDS, **own)
        self._adapters = Counter("adapter_requests", "Requests by adapter.", ["adapter"], **own)
        self._tokens = Counter("tokens", "Tokens through the network, without padding.", **own)
        self._padding = Counter("padding_tokens", "Padding through the network.", **own)
        self._runs = Counter("runs", "Batches through the network.", **own)
        self._run_seconds = Histogram("run_seconds", "Of a batch.", buckets=SECONDS, **own)
        self._rows = Histogram("batch_sequences", "Sequences of a batch.", buckets=ROWS, **own)
        self._fill = Histogram(
            "batch_fill",
            "Share of the token budget that a batch takes, padding counted in.",
            buckets=SHARES,
            **own,
        )
        self._rows_adapters = Histogram(
            "batch_adapters", "Adapters in a batch.", buckets=(0, 1, 2, 4, 8, 16), **own
        )
        self.accepted = Gauge("accepted_sequences", "Accepted and not answered.", **gauge)
        self.waiting = Gauge("queue_sequences", "Waiting for a batch.", **gauge)
        self.loaded = Gauge("adapters_loaded", "Adapters in memory.", **gauge)
        self.ready = Gauge("ready_workers", "Processes that can answer.", **gauge)

    def ran(self, rows: Sequence[Row], seconds: float) -> None:
        """A batch is through the network."""
        lengths = [len(row.ids) for row in rows]
        tokens, padded = sum(lengths), max(lengths) * len(rows)
        self._tokens.inc(tokens)
        self._padding.inc(padded - tokens)
        self._runs.inc()
        self._run_seconds.observe(seconds)
        self._rows.observe(len(rows))
        self._fill.observe(min(1.0, padded / self._tokens_per_run))
        self._rows_adapters.observe(len({row.adapter for row in rows if row.adapter}))

    def answered(self, route: str, status: int, seconds: float) -> None:
        """A request is over; `route` is a template, never a path."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def asked(self, adapter: str) -> None:
        """A request is for a known adapter or bundle."""
        self._adapters.labels(adapter).inc()

    def text(self) -> bytes:
        """In Prometheus' format, of all worker processes together."""
        folder = os.environ.get(SHARED)
        if not folder:
            return generate_latest(self.registry)
        _forget_the_dead(folder)
        together = CollectorRegistry()
        MultiProcessCollector(together, path=folder)  # type: ignore[no-untyped-call]
        return generate_latest(together)


def _forget_the_dead(folder: str) -> None:
    """Gauges of processes that are no more count no more; on Windows nobody can be asked whether they live."""
    if sys.platform == "win32":
        return
    for path in glob.glob(f"{folder}/gauge_live*_*.db"):  # noqa: PTH207 a pattern
        pid = int(Path(path).stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            with contextlib.suppress(OSError):
                mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]
