"""Routes: FastAPI writes their documentation, and a request goes from its bytes to the function and back."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, get_type_hints

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from lowres_stilts.errors import LowresStiltsError, TooLongError, UsageError
from lowres_stilts.serving.bodies import parsed
from lowres_stilts.serving.problems import FAILED, NOT_FOUND, TOO_LARGE, UNPROCESSABLE, Refusal
from lowres_stilts.serving.replies import ErrorReply
from lowres_stilts.serving.service import Note, Service

Responses = dict[int | str, dict[str, Any]]
Handler = Callable[[Request], Coroutine[Any, Any, Response]]
logger = logging.getLogger(__name__)
REQUEST_ID = {"X-Request-Id": {"description": "Of this request, as in the logs.", "schema": {"type": "string"}}}
VERSION = {
    "X-Adapter-Version": {
        "description": "Of the adapter that answers, as `/info` has it; a bare encoder has none.",
        "schema": {"type": "string"},
    }
}
RETRY = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}}
REASONS = {
    400: "The request, or the JSON of its body, is malformed.",
    401: "A key is needed.",
    403: "Not allowed here.",
    404: "There is no such model or adapter, or no such page.",
    408: "The request came too slowly.",
    409: "It cannot be done as things are.",
    413: "The body, a text or the number of texts is over a limit.",
    415: "The body is not called application/json.",
    422: "A key or value is wrong, or the adapter is for another route.",
    424: "The Hub failed.",
    429: "Over capacity, or over the limit of a key.",
    500: "A fault of the service; it is logged under the request's id.",
    503: "Loading, ending, or no answer in time.",
}
OF_ALL = (401, 429, 500, 503)
OF_BODIES = (400, 404, 408, 413, 415, 422)
ADAPTER = {
    "name": "adapter",
    "in": "query",
    "description": "As `adapter` in the body, for clients that cannot put it there.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 300},
}


class JsonRoute(APIRoute):
    """A route whose body is checked straight from its bytes, and whose faults have one shape."""

    def get_route_handler(self) -> Handler:
        """What runs for a request; parameters come from the function's own signature."""
        function: Any = self.endpoint
        kind = get_type_hints(function, include_extras=True).get("body")
        body_of: TypeAdapter[Any] | None = None if kind is None else TypeAdapter(kind)
        template = self.path

        async def handle(request: Request) -> Response:
            note: Note = request.scope["note"]
            note.route = template
            try:
                if body_of is None:
                    return await function(request)  # type: ignore[no-any-return]
                body = parsed(await _json_body(request), body_of)
                async with _cancelled_when_alone(request):
                    return await function(body, request)  # type: ignore[no-any-return]
            except Refusal as refusal:
                return refusal.response()
            except LowresStiltsError as error:
                return _refused(error).response()
            except Exception:
                logger.exception("a request failed", extra={"request_id": note.request_id})
                return Refusal(FAILED, "the service failed; it is logged under the id of this request").response()

        return handle


def router(*statuses: int) -> APIRouter:
    """For routes of one kind, with what each of them may answer.

    Args:
        statuses: of errors, besides those that every route can have.
    """
    return APIRouter(route_class=JsonRoute, responses=errors(*statuses))


def errors(*statuses: int) -> Responses:
    """How the document describes errors."""
    found: Responses = {}
    for status in sorted({*OF_ALL, *statuses}):
        headers = {**REQUEST_ID, **(RETRY if status in {429, 503} else {})}
        found[status] = {"model": ErrorReply, "description": REASONS[status], "headers": headers}
    return found


def service_of(request: Request) -> Service:
    """The service that a request came to."""
    service: Service = request.scope["service"]
    return service


def note_of(request: Request) -> Note:
    """What is noted of a request."""
    note: Note = request.scope["note"]
    return note


def named(request: Request, in_body: set[str]) -> str | None:
    """The adapter that a request names, in its body or its query.

    Raises:
        Refusal: it names two.
    """
    names = {*request.query_params.getlist("adapter"), *in_body}
    if len(names) > 1:
        raise Refusal(NOT_FOUND, "model and adapter mean the same, but this request names several")
    return next(iter(names), None)


def json(value: Any) -> Response:
    """An answer."""
    return Response(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")


def documented(example: Any) -> Responses:
    """The `responses` of a route whose successful answer has an example."""
    return {200: {"headers": {**REQUEST_ID, **VERSION}, "content": {"application/json": {"example": example}}}}


async def _json_body(request: Request) -> bytes:
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(415, "send the body as Content-Type: application/json")
    return await request.body()


@contextlib.asynccontextmanager
async def _cancelled_when_alone(request: Request) -> AsyncIterator[None]:
    """Cancels what is within when the client hangs up."""
    own = asyncio.current_task()
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone = True
        if own is not None:
            own.cancel()

    watcher = asyncio.ensure_future(watch())
    try:
        yield
    except asyncio.CancelledError:
        if not gone or own is None:
            raise
        own.uncancel()
        raise Refusal(499, "the client hung up", kind="Cancelled") from None
    finally:
        watcher.cancel()


def _refused(error: LowresStiltsError) -> Refusal:
    if isinstance(error, TooLongError):
        return Refusal(TOO_LARGE, str(error))
    if isinstance(error, UsageError):
        return Refusal(UNPROCESSABLE, str(error))
    # Other messages name files of this machine.
    logger.error("a request failed", extra={"reason": str(error)})
    return Refusal(FAILED, "the model cannot be used; it is logged under the id of this request")
