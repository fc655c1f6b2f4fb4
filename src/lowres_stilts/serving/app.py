"""The application: its routes and what is around them."""

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware

from lowres_stilts import __version__
from lowres_stilts.serving import pages, routes_admin, routes_observe, routes_openai, routes_tasks, routes_tei
from lowres_stilts.serving.document import DESCRIPTION, Document
from lowres_stilts.serving.envelope import Envelope
from lowres_stilts.serving.keys import KeyRing
from lowres_stilts.serving.life import life
from lowres_stilts.serving.metrics import Metrics
from lowres_stilts.serving.problems import NOT_FOUND, Refusal
from lowres_stilts.serving.protocol import LimitedProtocol
from lowres_stilts.serving.service import Service
from lowres_stilts.serving.settings import Settings
from lowres_stilts.serving.tracing import OpenTelemetry

MESSAGES = {NOT_FOUND: "there is no such page", 405: "this page takes another method"}


def application() -> Envelope:
    """The application of a worker process, with the settings that its parent left in the environment."""
    settings = Settings.from_environment()
    LimitedProtocol.limits = settings.limits
    return create_app(settings)


def create_app(settings: Settings) -> Envelope:
    """An ASGI application over bundles.

    Raises:
        UsageError: a file of keys is malformed.
        ServiceError: tracing is wanted and cannot be had.
    """
    service = Service(settings, Metrics(settings.queue.tokens_per_run))
    keys = KeyRing(settings.keys) if settings.keys else None
    admin_keys = KeyRing(settings.admin_keys) if settings.admin_keys else None
    tracing = OpenTelemetry() if settings.tracing else None
    app = FastAPI(
        title="lowres-stilts",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lambda _: life(service, [ring for ring in (keys, admin_keys) if ring], tracing),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        exception_handlers={404: _http_error, 405: _http_error},
    )
    admin = [routes_admin.routes] if admin_keys else []
    _include(app, *admin)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-Request-Id"],
            expose_headers=["X-Request-Id", "Retry-After"],
        )
    document = Document(app, service, has_keys=keys is not None)
    app.add_api_route("/openapi.json", document.answer, include_in_schema=False)
    return Envelope(app, service, keys, admin_keys, tracing)  # type: ignore[arg-type]


def _include(app: FastAPI, *more: Any) -> None:
    app.include_router(routes_tei.routes)
    app.include_router(routes_tasks.routes)
    app.include_router(routes_openai.embeddings_routes)
    app.include_router(routes_openai.models_routes)
    app.include_router(routes_observe.routes)
    for routes in more:
        app.include_router(routes)
    app.include_router(pages.pages())


async def _http_error(request: Request, error: Exception) -> Response:
    """What Starlette refuses by itself: no such page, or not with this method."""
    status = int(getattr(error, "status_code", NOT_FOUND))
    response = Refusal(status, MESSAGES[status]).response()
    response.headers.update(getattr(error, "headers", None) or {})
    return response
