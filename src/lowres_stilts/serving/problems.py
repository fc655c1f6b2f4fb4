"""Refusals: one shape for every error, that of text-embeddings-inference."""

import math
from dataclasses import dataclass
from http import HTTPStatus

import orjson
from fastapi import Response

BAD, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TOO_LARGE = 400, 401, 403, 404, 413
NOT_ALLOWED, UNPROCESSABLE, TOO_MANY, FAILED, UNAVAILABLE = 405, 422, 429, 500, 503
KINDS = {
    BAD: "Validation",
    UNAUTHORIZED: "Unauthorized",
    FORBIDDEN: "Unauthorized",
    NOT_FOUND: "NotFound",
    NOT_ALLOWED: "NotAllowed",
    408: "Timeout",
    409: "Conflict",
    TOO_LARGE: "Validation",
    415: "Validation",
    UNPROCESSABLE: "Validation",
    TOO_MANY: "Overloaded",
    431: "Validation",
    FAILED: "Backend",
    UNAVAILABLE: "Unhealthy",
}


@dataclass(eq=False)
class Refusal(Exception):  # noqa: N818 it is an answer, not a fault
    """A request that gets no answer, and why."""

    status: int
    message: str
    """One line; never with text of a request."""
    retry_after: float | None = None
    """Seconds."""
    kind: str = ""
    """`error_type`; that of the status where it is not given."""
    closes: bool = False
    """Whether the rest of the connection is of no use."""

    def body(self) -> bytes:
        """As JSON."""
        return error_body(self.status, self.message, self.kind)

    def response(self) -> Response:
        """With its headers."""
        headers = {}
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after)))
        if self.status == UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        if self.closes:
            headers["Connection"] = "close"
        return Response(self.body(), self.status, headers, "application/json")


def error_body(status: int, message: str, kind: str = "") -> bytes:
    """The JSON of an error."""
    kind = kind or KINDS.get(status) or HTTPStatus(status).phrase
    return orjson.dumps({"error": message, "error_type": kind})
