"""The application: its routes and what is around them."""

from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware

from lowres_stilts import __version__
from lowres_stilts.serving import (
    pages,
    routes_admin,
    routes_observe,
    routes_openai,
    routes_tasks,
    routes_tei,
    routes_tokens,
)
from lowres_stilts.serving.document import DESCRIPTION, Document
from lowres_stilts.serving.envelope import Envelope
from lowres_stilts.serving.keys import KeyRing
from lowres_stilts.serving.life import life
from lowres_stilts.serving.metrics import Metrics
from lowres_stilts.serving.problems import NOT_ALLOWED, NOT_FOUND, Refusal
from lowres_stilts.serving.protocol import LimitedProtocol
from lowres_stilts.serving.routing import Handler, JsonRoute
from lowres_stilts.serving.service import Service
from lowres_stilts.serving.settings import Settings
from lowres_stilts.serving.tracing import OpenTelemetry


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
        exception_handlers={NOT_FOUND: _not_there, NOT_ALLOWED: _not_there},
    )
    _add_routes(app, is_admin=admin_keys is not None)
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
    direct = {} if settings.cors_origins else _direct(app)
    return Envelope(app, service, keys, admin_keys, tracing, direct)  # type: ignore[arg-type]


def _add_routes(app: FastAPI, *, is_admin: bool) -> None:
    groups = [
        routes_tei.routes,
        routes_tokens.routes,
        routes_tasks.routes,
        routes_openai.embeddings_routes,
        routes_openai.models_routes,
        routes_observe.routes,
        *([routes_admin.routes] if is_admin else []),
        pages.pages(),
    ]
    # They are complete: `include_router` would only look through every group at every request.
    app.router.routes.extend(route for group in groups for route in group.routes)


def _direct(app: FastAPI) -> dict[tuple[str, str], Handler]:
    """What answers each method and path, where the path has no parameters."""
    return {
        (method, route.path): route.get_route_handler()
        for route in app.routes
        if isinstance(route, JsonRoute) and "{" not in route.path
        for method in route.methods or ()
    }


async def _not_there(request: Request, error: Exception) -> Response:
    """There is no such page, or not with this method."""
    path = request.scope["path"]
    routes = request.app.routes
    methods = {method for route in routes if route.path == path for method in route.methods}
    if int(getattr(error, "status_code", NOT_FOUND)) == NOT_FOUND:
        return Refusal(NOT_FOUND, "there is no such page").response()
    response = Refusal(NOT_ALLOWED, "this page takes another method").response()
    response.headers["Allow"] = ", ".join(sorted(methods)) or getattr(error, "headers", {}).get("Allow", "")
    return response
