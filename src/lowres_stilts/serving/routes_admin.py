"""Adapters at run time: `/admin/adapters`, for those with an admin key."""

from fastapi import Request, Response

from lowres_stilts.errors import BundleError, LowresStiltsError, UsageError
from lowres_stilts.serving.catalog import Catalog, Shelf, Version
from lowres_stilts.serving.problems import NOT_FOUND, UNPROCESSABLE, Refusal
from lowres_stilts.serving.replies import AdapterState, AdapterStates, Unloaded
from lowres_stilts.serving.routes_observe import adapter
from lowres_stilts.serving.routing import OF_BODIES, json, router, service_of
from lowres_stilts.serving.schemas import HubAdapter, KnownAdapter
from lowres_stilts.serving.service import Service

routes = router(*OF_BODIES, 403, 409, 424)
NAME = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
FORBIDDEN, CONFLICT, HUB_FAILED = 403, 409, 424


@routes.get("/admin/adapters", tags=["admin"], response_model=AdapterStates)
async def list_adapters(request: Request) -> Response:
    """All adapters that can be asked for, and whether they are in memory here."""
    catalog = service_of(request).open.catalog
    states = [
        _state(catalog, bundle, shelf, own, version)
        for bundle, shelf in catalog.shelves.items()
        for own, version in shelf.known().items()
    ]
    unloaded = [
        catalog.public_name(bundle, name)
        for bundle, shelf in catalog.shelves.items()
        for name in sorted(shelf.unloaded)
    ]
    return json({"adapters": states, "unloaded": unloaded})


@routes.post("/admin/adapters", tags=["admin"], response_model=AdapterState)
async def load_adapter(body: KnownAdapter | HubAdapter, request: Request) -> Response:
    """Loads an adapter of the bundle or the watched folder, or one from the Hugging Face Hub."""
    service = service_of(request)
    opened = service.open
    name = body.name if isinstance(body, KnownAdapter) else await _fetched(service, body)
    shelf, own = _place(opened.catalog, name)
    if not shelf.knows(own):
        await opened.watch.look()
    if not shelf.knows(own):
        raise Refusal(NOT_FOUND, "no such adapter in the bundle or the watched folder")
    try:
        await opened.watch.load(shelf, own)
    except BundleError as error:
        raise Refusal(CONFLICT, _without_folder(error)) from error
    return json(_answered(opened.catalog, shelf, own))


@routes.delete(
    "/admin/adapters/{name:path}", tags=["admin"], response_model=Unloaded, openapi_extra={"parameters": [NAME]}
)
async def unload_adapter(request: Request) -> Response:
    """Unloads an adapter; requests in flight keep it, and new ones are 404 until it is loaded again."""
    opened = service_of(request).open
    name = request.path_params["name"]
    shelf, own = _loaded(opened.catalog, name)
    await opened.watch.unload(shelf, own)
    return json({"unloaded": name})


@routes.post(
    "/admin/adapters/{name:path}/rollback",
    tags=["admin"],
    response_model=AdapterState,
    openapi_extra={"parameters": [NAME]},
)
async def roll_back_adapter(request: Request) -> Response:
    """Puts the version that an adapter had before it was replaced in its place, for requests that come now."""
    opened = service_of(request).open
    name = request.path_params["name"]
    shelf, own = _loaded(opened.catalog, name)
    try:
        await opened.watch.roll_back(shelf, own)
    except UsageError as error:
        raise Refusal(CONFLICT, str(error)) from error
    return json(_answered(opened.catalog, shelf, own))


def _answered(catalog: Catalog, shelf: Shelf, own: str) -> dict[str, object]:
    """The state of an adapter that was changed.

    Raises:
        Refusal: it was removed in the meantime.
    """
    version = shelf.versions.get(own)
    if version is None:
        raise Refusal(NOT_FOUND, "the adapter was removed in the meantime")
    bundle = next(key for key, value in catalog.shelves.items() if value is shelf)
    return _state(catalog, bundle, shelf, own, version)


def _loaded(catalog: Catalog, name: str) -> tuple[Shelf, str]:
    """Where an adapter that is loaded stands, and its name there."""
    shelf, own = _place(catalog, name)
    if own not in shelf.known():
        raise Refusal(NOT_FOUND, "no such adapter is loaded")
    return shelf, own


def _place(catalog: Catalog, name: str) -> tuple[Shelf, str]:
    placed = catalog.placed(name)
    if placed is None:
        raise Refusal(NOT_FOUND, "no such adapter; with several bundles its name is BUNDLE/ADAPTER")
    return placed


def _state(catalog: Catalog, bundle: str, shelf: Shelf, own: str, version: Version) -> dict[str, object]:
    former = shelf.replaced.get(own)
    return {
        **adapter(catalog.public_name(bundle, own), version),
        "bundle": bundle,
        "loaded": own in shelf.bundle.loaded,
        "previous": None if former is None else former.version,
    }


async def _fetched(service: Service, wanted: HubAdapter) -> str:
    """Downloads an adapter into the watched folder; its public name."""
    settings, catalog = service.settings, service.open.catalog
    if not settings.hub or settings.adapters is None:
        raise Refusal(FORBIDDEN, "adapters of the Hub are not allowed here: start the service with --hub")
    bundle = wanted.bundle or next(iter(catalog.shelves))
    if bundle not in catalog.shelves or (wanted.bundle is None and len(catalog.shelves) > 1):
        raise Refusal(UNPROCESSABLE, f"bundle: name one of {', '.join(catalog.shelves)}")
    place = settings.adapters if len(catalog.shelves) == 1 else settings.adapters / bundle
    from lowres_stilts.serving.fetch import fetch_adapter  # noqa: PLC0415 needs huggingface_hub

    try:
        name = await fetch_adapter(wanted.repo, wanted.revision, place)
    except LowresStiltsError as error:
        status = UNPROCESSABLE if isinstance(error, UsageError) else HUB_FAILED
        raise Refusal(status, _without_folder(error)) from error
    await service.open.watch.look()
    return catalog.public_name(bundle, name)


def _without_folder(error: LowresStiltsError) -> str:
    """A message without the paths of this machine."""
    return " ".join(word.rpartition("/")[2] if word.startswith("/") else word for word in str(error).split())
