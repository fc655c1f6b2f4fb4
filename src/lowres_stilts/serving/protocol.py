"""Connections: how many there are, how large the head of a request is, and how slowly it may come."""

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lowres_stilts.serving.problems import error_body
from lowres_stilts.serving.settings import Limits

REASONS = {
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with limits on what comes before the application sees a request."""

    limits: ClassVar[Limits] = Limits()
    """Of this process."""
    _head_bytes = 0
    _in_head = False
    _ended = False
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Refuses a connection too many, and starts to wait for a head."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._end(503, "too many connections; try again later")
        else:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts the bytes of a head before they are parsed."""
        if self._ended:
            return
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and not self._ended:
            if self._timer is None:
                self._wait_for_head()
            if self._head_bytes > self.limits.header_bytes:
                self._end(431, f"the head of a request may have {self.limits.header_bytes} bytes")

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Refuses a header too many."""
        super().on_header(name, value)
        if len(self.headers) > self.limits.headers:
            self._end(431, f"a request may have {self.limits.headers} headers")

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._in_head = False
        head = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        self._head_bytes = 0
        self._stop_waiting()
        if head > self.limits.header_bytes:
            self._end(431, f"the head of a request may have {self.limits.header_bytes} bytes")
        if self.parser.should_upgrade():
            # The parser would take the body for another protocol's.
            self._end(400, "this service speaks HTTP/1.1 alone: send no Upgrade header")
        if not self._ended:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Nothing begins after the end."""
        if not self._ended:
            super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        """Nothing is kept after the end."""
        if not self._ended:
            super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP, in the shape of every error."""
        if not self._ended:
            self._end(400, "this is no valid HTTP request")

    def _wait_for_head(self) -> None:
        self._timer = self.loop.call_later(self.limits.header_seconds, self._head_is_late)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _head_is_late(self) -> None:
        self._timer = None
        if self.cycle is None or self.cycle.response_complete:
            self._end(408, f"the head of a request has to arrive within {self.limits.header_seconds:g} seconds")

    def _end(self, status: int, message: str) -> None:
        """Answers, and closes the connection."""
        if self._ended:
            return
        self._ended = True
        self._stop_waiting()
        body = error_body(status, message)
        head = b"HTTP/1.1 %d %s\r\n" % (status, REASONS.get(status, b"Bad Request"))
        retry = b"retry-after: 1\r\n" if status == 503 else b""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(
                head
                + b"content-type: application/json\r\nconnection: close\r\n"
                + retry
                + b"content-length: %d\r\n\r\n" % len(body)
                + body
            )
        self.transport.close()
