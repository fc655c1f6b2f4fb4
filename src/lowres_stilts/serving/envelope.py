"""Around every request: its id, who sent it, its body within limits, safe headers, one log line, its metrics."""

import asyncio
import contextlib
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import Request

from lowres_stilts.serving.keys import Key, KeyRing
from lowres_stilts.serving.logs import access
from lowres_stilts.serving.problems import NOT_FOUND, TOO_LARGE, Refusal
from lowres_stilts.serving.routing import Handler
from lowres_stilts.serving.service import Note, Service
from lowres_stilts.serving.settings import Limits
from lowres_stilts.serving.tracing import Tracing

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
ALWAYS = ("/health", "/metrics")
"""Answered while loading and ending as well."""
PUBLIC = ("/health", "/openapi.json")
"""For everybody, with keys too; and the files of the page."""
PAGES, ADMIN = "/playground/", "/admin/"
SAFE = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
NOTHING = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
OWN = (b"content-security-policy", PAGE_POLICY.encode())
GONE = 499
"""In logs: nobody was there to get an answer."""


class Envelope:
    """The outermost part of the application."""

    def __init__(
        self,
        app: App,
        service: Service,
        keys: KeyRing | None,
        admin_keys: KeyRing | None,
        tracing: Tracing | None,
        direct: Mapping[tuple[str, str], Handler] | None = None,
    ) -> None:
        self._app = app
        self.service = service
        self._keys = keys
        self._admin_keys = admin_keys
        self._tracing = tracing
        self._direct = {} if direct is None else direct

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the life of the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        note = Note(_request_id(headers), scope["method"], (scope.get("client") or ("unknown", 0))[0])
        scope["note"], scope["service"] = note, self.service
        started = time.perf_counter()
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *_added(_is_page(scope), note)]
            await send(message)

        facts: dict[str, Any] = {"method": note.method}
        with self._span(headers, facts):
            try:
                status = await self._pass(scope, receive, answer, note) or status
            finally:
                facts |= note.facts() | {"status": status}
                self._tell(note, status, time.perf_counter() - started)

    async def _pass(self, scope: Scope, receive: Receive, send: Send, note: Note) -> int | None:
        """Lets the request in or refuses it; a status where there was nobody to send one to."""
        path = scope["path"]
        key: Key | None = None
        ring: KeyRing | None = None
        try:
            body = await read_body(scope, receive, self.service.settings.limits)
            if path not in ALWAYS and not _is_page(scope):
                self.service.require_ready()
            ring = None if scope["method"] == "OPTIONS" else self._ring(scope)
            if ring is not None:
                key = ring.owner(_header(scope["headers"], b"authorization"))
                note.client = f"key:{key.name}"
                ring.enter(key)
        except Refusal as refusal:
            await refusal.response()(scope, receive, send)  # type: ignore[arg-type]
            return None
        except ConnectionError:
            return GONE
        self.service.running += 1
        try:
            await self._run(scope, _replayed(body, receive), send)
        finally:
            self.service.running -= 1
            if ring is not None and key is not None:
                ring.leave(key)
        return None

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A route that needs nothing of the framework is called at once: it costs more than the route itself."""
        handle = self._direct.get((scope["method"], scope["path"]))
        if handle is None:
            await self._app(scope, receive, send)
            return
        response = await handle(Request(scope, receive, send))  # type: ignore[arg-type]
        await response(scope, receive, send)  # type: ignore[arg-type]

    def _ring(self, scope: Scope) -> KeyRing | None:
        """Whose keys a request needs.

        Raises:
            Refusal: it is for an admin, and nobody is one.
        """
        path = scope["path"]
        if path.startswith(ADMIN):
            if self._admin_keys is None:
                raise Refusal(NOT_FOUND, "there is no such page")
            return self._admin_keys
        if path in PUBLIC or _is_page(scope) or (path == "/metrics" and self.service.settings.open_metrics):
            return None
        return self._keys

    def _span(self, headers: list[tuple[bytes, bytes]], facts: dict[str, Any]) -> Any:
        if self._tracing is None:
            return contextlib.nullcontext()
        wanted = {b"traceparent", b"tracestate"}
        return self._tracing.request({k.decode(): v.decode("latin-1") for k, v in headers if k in wanted}, facts)

    def _tell(self, note: Note, status: int, seconds: float) -> None:
        self.service.metrics.answered(note.route, status, seconds)
        if self.service.settings.log_requests and note.route not in ALWAYS:
            access.info("request", extra={**note.facts(), "status": status, "ms": round(1000 * seconds, 2)})


async def read_body(scope: Scope, receive: Receive, limits: Limits) -> bytes:
    """The body of a request; one that is too long is read to its end before it is refused.

    Raises:
        Refusal: it is too long, or comes too slowly.
        ConnectionError: the client is gone.
    """
    if scope["method"] in {"GET", "HEAD"} and not _has_body(scope["headers"]):
        return b""
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ConnectionResetError
                chunk = message.get("body", b"")
                size += len(chunk)
                if size <= limits.body_bytes:
                    chunks.append(chunk)
                else:
                    chunks.clear()
                if not message.get("more_body") or size > limits.drained_bytes:
                    break
    except TimeoutError:
        raise Refusal(408, f"the body has to arrive within {limits.body_seconds:g} seconds", closes=True) from None
    if size > limits.body_bytes:
        closes = size > limits.drained_bytes
        raise Refusal(TOO_LARGE, f"the body has more than {limits.body_bytes} bytes", closes=closes)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body once, then whatever the server says."""
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _request_id(headers: list[tuple[bytes, bytes]]) -> str:
    for name, value in headers:
        if name == b"x-request-id" and REQUEST_ID.fullmatch(value):
            return value.decode()
    return secrets.token_hex(8)


def _header(headers: list[tuple[bytes, bytes]], name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in headers if key == name), None)


def _has_body(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(key in {b"content-length", b"transfer-encoding"} for key, _ in headers)


def _is_page(scope: Scope) -> bool:
    """Whether it is the playground: at `/` there is a route of the service too."""
    is_root = scope["path"] == "/" and scope["method"] in {"GET", "HEAD"}
    return is_root or scope["path"].startswith(PAGES)


def _added(is_page: bool, note: Note) -> list[tuple[bytes, bytes]]:
    version = [] if note.adapter_version is None else [(b"x-adapter-version", note.adapter_version.encode())]
    stored = [] if is_page else [(b"cache-control", b"no-store")]
    return [(b"x-request-id", note.request_id.encode()), *version, *SAFE, OWN if is_page else NOTHING, *stored]
