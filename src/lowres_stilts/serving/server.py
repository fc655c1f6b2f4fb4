"""uvicorn with this service's limits, in one process or several.

Each worker process opens the model for itself. They share the code and the pages of `weights.bin` and of the
adapters' files that onnxruntime maps and does not copy. Private to each are the tokenizer's tables, what
onnxruntime packs anew for its kernels, and activations; docs/serving.md has figures.
"""

import contextlib
import logging.config
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from lowres_stilts.errors import LowresStiltsError, ServiceError
from lowres_stilts.names import require_folder
from lowres_stilts.runtime.manifest import read_manifest
from lowres_stilts.serving.life import START_FAILED
from lowres_stilts.serving.logs import log_config
from lowres_stilts.serving.metrics import SHARED
from lowres_stilts.serving.protocol import LimitedProtocol
from lowres_stilts.serving.settings import VARIABLE, Settings

APPLICATION = "lowres_stilts.serving.app:application"
AFTER_DRAIN = 5
"""Seconds for connections to close once all requests are answered."""
SLOWEST_START = 15
"""Seconds that a worker may not answer its parent."""
BACKLOG = 2048
logger = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Answers requests until SIGTERM or SIGINT, and then those that it has accepted.

    Raises:
        BundleError: a bundle is missing or damaged.
        UsageError: a file of keys is malformed.
        ServiceError: the address cannot be listened on, or a worker does not start.
    """
    logging.config.dictConfig(log_config())
    for folder in settings.bundles:
        require_folder(folder, ServiceError, "write a bundle with `lowres-stilts export`")
        read_manifest(folder)
    if settings.adapters is not None and settings.adapters.exists():
        require_folder(settings.adapters, ServiceError)
    with _listening(settings) as listener, _ends_quietly():
        host, port = listener.getsockname()[:2]
        logger.info("listening", extra={"url": f"http://{f'[{host}]' if ':' in host else host}:{port}"})
        if settings.workers == 1:
            _serve_alone(settings, listener)
        else:
            _serve_together(settings, listener)


def server_config(settings: Settings, app: Any) -> uvicorn.Config:
    """How uvicorn runs an application or, in workers, the name of what makes one."""
    protocol = type("Protocol", (LimitedProtocol,), {"limits": settings.limits})
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        http=LimitedProtocol if isinstance(app, str) else protocol,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        ws="none",
        lifespan="on",
        log_config=log_config(),
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=list(settings.trusted_proxies),
        workers=settings.workers,
        backlog=BACKLOG,
        timeout_keep_alive=settings.limits.idle_seconds,
        timeout_graceful_shutdown=AFTER_DRAIN,
        timeout_worker_healthcheck=SLOWEST_START,
    )


def _serve_alone(settings: Settings, listener: socket.socket) -> None:
    from lowres_stilts.serving.app import create_app  # noqa: PLC0415 after the logs are set up

    app = create_app(settings)
    uvicorn.Server(server_config(settings, app)).run([listener])
    failure = app.service.failure
    if isinstance(failure, LowresStiltsError):
        raise failure
    if failure is not None:
        raise ServiceError("the bundles cannot be opened; the line above says where it failed")


def _serve_together(settings: Settings, listener: socket.socket) -> None:
    with tempfile.TemporaryDirectory(prefix="lowres-stilts-") as shared:
        os.environ[SHARED] = shared
        settings = settings.model_copy(update={"state": Path(shared) / "adapters.json"})
        os.environ[VARIABLE] = settings.model_dump_json()
        supervisor = Multiprocess(server_config(settings, APPLICATION), [listener])
        supervisor.run()
    if any(process.exitcode == START_FAILED for process in supervisor.processes):
        raise ServiceError("a worker process did not start; its line above says why")


@contextlib.contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        message = f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}"
        raise ServiceError(f"{message}; choose others with --host and --port") from None
    with listener:
        listener.set_inheritable(True)
        yield listener


@contextlib.contextmanager
def _ends_quietly() -> Iterator[None]:
    """Uvicorn sends itself the signal that ended it once more; here ending is what was asked for."""
    former = signal.signal(signal.SIGTERM, lambda *_: None)
    interrupted = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
        signal.signal(signal.SIGINT, interrupted)
