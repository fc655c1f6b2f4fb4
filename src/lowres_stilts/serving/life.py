"""What is opened when a process of the service starts, and how it ends: accepted requests first."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Sequence
from types import FrameType
from typing import Any

from lowres_stilts.errors import LowresStiltsError
from lowres_stilts.runtime import Bundle
from lowres_stilts.runtime.session import cores
from lowres_stilts.serving.batcher import Batcher
from lowres_stilts.serving.catalog import Catalog
from lowres_stilts.serving.keys import KeyRing
from lowres_stilts.serving.service import Opened, Service
from lowres_stilts.serving.tracing import Tracing
from lowres_stilts.serving.watch import Watch

logger = logging.getLogger(__name__)
START_FAILED = 3
"""Exit code of a worker that is not to be started again; uvicorn's."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)
TICK = 0.02
SWITCH_SECONDS = 0.001
WARM_UP_WORDS = 100
SIGN_OF_LIFE = 1.0
"""Seconds."""


@contextlib.asynccontextmanager
async def life(service: Service, rings: Sequence[KeyRing], tracing: Tracing | None) -> AsyncIterator[None]:
    """Opens the bundles while the service says that it is loading, and closes everything at the end."""
    # Threads that hold the interpreter for less long at a time let answers out sooner.
    sys.setswitchinterval(SWITCH_SECONDS)
    tasks = [asyncio.create_task(_open(service)), asyncio.create_task(_keep_up(service, rings))]
    with _draining(service):
        yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if service.opened is not None:
        await asyncio.to_thread(service.opened.batcher.close)
    if tracing is not None:
        await asyncio.to_thread(tracing.close)


async def _open(service: Service) -> None:
    """Opens the bundles, runs each once, and then follows the watched folder."""
    settings = service.settings
    try:
        threads = settings.threads or max(1, cores() // settings.workers)
        catalog = await asyncio.to_thread(
            Catalog.open, settings.bundles, threads=threads, most=settings.adapters_loaded
        )
        full_batch_seconds = await asyncio.to_thread(_warm_up, catalog, settings.queue.tokens_per_run)
        watch = Watch(catalog, settings.adapters, settings.state)
        await watch.look()
    except Exception as error:
        _give_up(service, error)
        return
    service.opened = Opened(catalog, Batcher(settings.queue, service.metrics, full_batch_seconds), watch)
    names = [name for _, name, _ in catalog.listed()]
    logger.info("ready", extra={"bundles": list(catalog.shelves), "adapters": names, "threads": threads})
    await watch.run(settings.watch_seconds)


def _warm_up(catalog: Catalog, tokens: int) -> float:
    """Runs each bundle once, for the first run takes longer; seconds of a full batch of the slowest."""
    return max(_seconds_of_second_run(shelf.bundle, tokens) for shelf in catalog.shelves.values())


def _seconds_of_second_run(bundle: Bundle, tokens: int) -> float:
    (row,) = bundle.prepare_texts(["a " * WARM_UP_WORDS])
    batch = [row] * max(1, tokens // len(row.ids))
    for _ in range(2):
        started = time.monotonic()
        bundle.network.pooled(batch, bundle.manifest.embedding, tokens)
    return time.monotonic() - started


def _give_up(service: Service, error: Exception) -> None:
    service.failure = error
    if not isinstance(error, LowresStiltsError):
        logger.error("the bundles cannot be opened", exc_info=error)
    if service.settings.workers > 1:
        logger.error("the bundles cannot be opened", extra={"reason": str(error)})
        # A parent that is waiting for a sign of life just now is to get it: it waits long for those of the dead.
        time.sleep(SIGN_OF_LIFE)
        os._exit(START_FAILED)
    signal.raise_signal(signal.SIGTERM)


async def _keep_up(service: Service, rings: Sequence[KeyRing]) -> None:
    """Reads files of keys that changed, and sets the figures that nobody counts."""
    while True:
        await asyncio.sleep(service.settings.watch_seconds)
        service.measure()
        for ring in rings:
            try:
                ring.reload()
            except (LowresStiltsError, OSError) as error:
                logger.warning("keys cannot be read; the former ones stay", extra={"reason": str(error)})


@contextlib.contextmanager
def _draining(service: Service) -> Any:
    """Makes the signals that end the server wait for accepted requests; a second one does not wait."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    former: dict[int, Any] = {}
    drains: set[Any] = set()

    def end(number: int, frame: FrameType | None) -> None:
        if service.is_draining:
            former[number](number, frame)
            return
        service.is_draining = True
        loop.call_soon_threadsafe(lambda: drains.add(loop.create_task(_drain(service, former, number))))

    for number in SIGNALS:
        former[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number in SIGNALS:
            signal.signal(number, former[number])


async def _drain(service: Service, former: dict[int, Any], number: int) -> None:
    """Waits for what was let in, then lets the server end."""
    settings = service.settings
    logger.info("ending", extra={"running": service.running})
    started = time.monotonic()
    passed = 0.0
    while passed < settings.drain_seconds and (service.running or passed < settings.linger_seconds):
        await asyncio.sleep(TICK)
        passed = time.monotonic() - started
    if service.running:
        logger.warning("requests are cut off", extra={"running": service.running})
    former[number](number, None)
