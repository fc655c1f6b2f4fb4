"""What there is and how it is: `/info`, `/health`, `/metrics`."""

from typing import Any

from fastapi import Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from lowres_stilts import __version__
from lowres_stilts.runtime import Bundle
from lowres_stilts.serving.batcher import TOKENIZING
from lowres_stilts.serving.catalog import Catalog, Version
from lowres_stilts.serving.replies import Health, Info
from lowres_stilts.serving.routing import documented, json, router, service_of
from lowres_stilts.serving.settings import Settings

routes = router()


@routes.get("/health", tags=["service"], response_model=Health, responses=documented({"status": "ok"}))
async def health(request: Request) -> Response:
    """200 while requests are answered; 503 while loading, ending or stuck."""
    service_of(request).require_ready()
    return json({"status": "ok"})


@routes.get("/info", tags=["service"], response_model=Info)
async def info(request: Request) -> Response:
    """The bundles, their adapters, and the limits."""
    service = service_of(request)
    return json(described(service.open.catalog, service.settings))


@routes.get(
    "/metrics",
    tags=["service"],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    """For Prometheus."""
    service = service_of(request)
    service.measure()
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)


def described(catalog: Catalog, settings: Settings) -> dict[str, Any]:
    """The fields of text-embeddings-inference, and the bundles."""
    first = next(iter(catalog.shelves.values())).bundle.manifest
    bundles = []
    for name, shelf in catalog.shelves.items():
        own = [adapter(catalog.public_name(name, key), version) for key, version in shelf.known().items()]
        bundles.append(_bundle(name, shelf.bundle, own))
    return {
        "model_id": first.base.id,
        "model_sha": first.base.sha256,
        "model_dtype": first.quantize,
        "model_type": {"embedding": {"pooling": first.embedding.pooling}},
        "max_concurrent_requests": settings.queue.sequences,
        "max_input_length": first.embedding.max_length,
        "max_batch_tokens": settings.queue.tokens_per_run,
        "max_batch_requests": None,
        "max_client_batch_size": settings.limits.inputs,
        "auto_truncate": False,
        "tokenization_workers": TOKENIZING,
        "version": __version__,
        "sha": None,
        "docker_label": None,
        "bundles": bundles,
    }


def adapter(name: str, version: Version) -> dict[str, Any]:
    """What an adapter is for."""
    part = version.part
    return {
        "name": name,
        "version": version.version,
        "sha256": version.sha256,
        "task": part.task,
        "family": part.family,
        "texts": part.texts,
        "labels": part.labels,
        "max_length": part.max_length,
        "licence": part.licence,
    }


def _bundle(name: str, bundle: Bundle, adapters: list[dict[str, Any]]) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        "name": name,
        "base": manifest.base.id,
        "quantize": manifest.quantize,
        "languages": list(manifest.languages) if manifest.languages else None,
        "hidden": manifest.base.hidden,
        "adapters": adapters,
    }
