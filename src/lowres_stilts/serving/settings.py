"""What an operator can set, each with a safe default."""

import os
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from lowres_stilts.errors import UsageError
from lowres_stilts.names import unreadable
from lowres_stilts.parts import Part

VARIABLE = "LOWRES_STILTS_SERVICE"
"""Where worker processes find the settings; it holds paths, never keys."""
Count = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]


class Limits(Part):
    """How much one request may bring; beyond it, the answer is a 4xx."""

    body_bytes: Count = 2_000_000
    """Of a body; a longer one is read to its end, thrown away, and refused with 413."""
    drained_bytes: Count = 64_000_000
    """Read of an over-long body at most, before the connection is closed."""
    inputs: Count = 256
    """Texts of one request."""
    characters: Count = 50_000
    """Of one text."""
    tokens: Count = 65_536
    """In one answer of `/tokenize`."""
    token_vectors: Count = 4096
    """In one answer of `/embed_all`: with 768 numbers each, 12 MB and three times that as JSON."""
    header_bytes: Count = 16_384
    """Of the request line and all headers."""
    headers: Count = 64
    connections: Count = 2048
    """Open at a time in each worker process."""
    header_seconds: Seconds = 10
    """For the head of a request to arrive."""
    body_seconds: Seconds = 30
    """For its body to arrive."""
    idle_seconds: Count = 30
    """Until a connection without requests is closed."""


class Queue(Part):
    """What is waiting, and how it is put together."""

    sequences: Count = 1024
    """Inputs that may wait or run at a time; beyond it, 429."""
    characters: Count = 4_000_000
    """Of the texts that may wait or run at a time; beyond it, 429."""
    bytes: Count = 256_000_000
    """Of memory that requests under way may hold, by an estimate on the safe side; beyond it, 429, and 413 for one
    that needs more by itself."""
    client_share: Annotated[float, Field(gt=0, le=1)] = 0.75
    """Of these that one client's requests may fill: there is always room for another one."""
    token_vectors: Count = 32_768
    """That all requests to `/embed_all` may be answered with at a time, by their bytes of text; beyond it, 429."""
    deadline_seconds: Seconds = 30
    """Until a request that has no answer yet is given up with 503."""
    wait_seconds: Seconds = 4
    """Where a client's work would take longer at the present speed, its next request is a 429 at once."""
    tokens_per_run: Count = 1024
    """Most tokens of a batch, padding counted in."""
    least_fill: Annotated[float, Field(ge=0, le=1)] = 0.8
    """Share of a batch that is no padding, where there is a choice."""
    runs: Count = 2
    """Batches at a time: the second keeps the cores busy while the first one's answers are put together."""


class Settings(Part):
    """All of a service's settings; a YAML file with these keys is `serve --config`."""

    bundles: Annotated[list[Path], Field(min_length=1)]
    """Folders written by `lowres-stilts export`."""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    workers: Count = 1
    """Processes, each with the model of its own."""
    threads: Count | None = None
    """Of a run; the cores of this process, shared among the workers, where it is not given."""
    adapters: Path | None = None
    """A folder of adapters that are loaded as they appear; with several bundles, one folder for each in it."""
    adapters_loaded: Count = 64
    """Most of a bundle in memory; the least recently used one is let go, and loaded again when asked for."""
    watch_seconds: Seconds = 1
    """Between looks at that folder, and at the files of keys."""
    hub: bool = False
    """Whether the admin route may fetch adapters from the Hugging Face Hub into that folder."""
    keys: Path | None = None
    """A file of API keys, as `lowres-stilts key` writes it; without it, everybody may ask."""
    admin_keys: Path | None = None
    """A file of keys for the admin routes; without it, there are none."""
    open_metrics: bool = True
    """Whether `/metrics` is there without a key."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may ask; none by default."""
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    """Addresses whose X-Forwarded-For names the client."""
    log_requests: bool = True
    """One line for each."""
    tracing: bool = Field(default_factory=lambda: "OTEL_EXPORTER_OTLP_ENDPOINT" in os.environ)
    """Whether OpenTelemetry spans are sent, to where its own variables say."""
    drain_seconds: Seconds = 30
    """For accepted requests to be answered after SIGTERM."""
    linger_seconds: Annotated[float, Field(ge=0)] = 0
    """After SIGTERM, how long to go on answering 503 at least, until load balancers have noticed."""
    state: Path | None = None
    """Where worker processes tell each other which adapters are unloaded; set by the service itself."""
    limits: Limits = Limits()
    queue: Queue = Queue()

    @model_validator(mode="after")
    def _hub_needs_a_place(self) -> Self:
        if self.hub and not (self.adapters and self.admin_keys):
            raise ValueError("hub: needs adapters (a folder to fetch into) and admin_keys as well")
        return self

    @classmethod
    def from_environment(cls) -> Self:
        """Those that the parent of this worker process put there."""
        return cls.model_validate_json(os.environ[VARIABLE])


def read_settings(config: Path | None, given: dict[str, object]) -> Settings:
    """Settings of a file, and over them what was given.

    Raises:
        UsageError: the file or a value is wrong; the message names the key.
    """
    found: Any = {}
    if config is not None:
        try:
            found = yaml.safe_load(config.read_text(encoding="utf-8")) or {}
        except OSError as error:
            raise UsageError(unreadable(config, error)) from error
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            raise UsageError(f"{config}: cannot be read: {' '.join(str(error).split())[:200]}") from error
        if not isinstance(found, dict):
            raise UsageError(f"{config}: expected keys and values")
    try:
        return Settings.model_validate({**found, **given})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        where = f"{config}: " if config and key.split(".")[0] not in given else ""
        raise UsageError(
            f"{where}{key + ': ' if key else ''}{first['msg'].removeprefix('Value error, ')}"
        ) from None
