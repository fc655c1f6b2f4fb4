"""OpenAI's routes: `/v1/embeddings` and `/v1/models`."""

import base64
from typing import Any

import numpy as np
from fastapi import Request, Response

from lowres_stilts.serving.replies import Embeddings, Models
from lowres_stilts.serving.routes_tei import require_width, unit
from lowres_stilts.serving.routing import OF_BODIES, documented, json, named, note_of, router, service_of
from lowres_stilts.serving.schemas import OpenAIEmbeddingsRequest

embeddings_routes = router(*OF_BODIES)
models_routes = router()
EXAMPLE = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.036, -0.021, 0.054]}],
    "model": "bundle",
    "usage": {"prompt_tokens": 4, "total_tokens": 4},
}
MODELS = {
    "object": "list",
    "data": [{"id": "bundle", "object": "model", "created": 0, "owned_by": "lowres-stilts"}],
}


@embeddings_routes.post("/v1/embeddings", tags=["texts"], response_model=Embeddings, responses=documented(EXAMPLE))
async def embeddings(body: OpenAIEmbeddingsRequest, request: Request) -> Response:
    """A unit vector for each text."""
    texts = [body.input] if isinstance(body.input, str) else body.input
    note = note_of(request)
    service = service_of(request)
    name = named(request, body.names)
    await require_width(request, name, body.dimensions)
    target, found = await service.embed(note, name, texts, truncate=bool(body.truncate))
    vectors: list[Any] = list(unit(found).astype("<f4"))
    if body.encoding_format == "base64":
        vectors = [base64.b64encode(np.ascontiguousarray(vector).tobytes()).decode() for vector in vectors]
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    usage = {"prompt_tokens": note.tokens, "total_tokens": note.tokens}
    return json({"object": "list", "data": data, "model": target.name, "usage": usage})


@models_routes.get("/v1/models", tags=["service"], response_model=Models, responses=documented(MODELS))
async def models(request: Request) -> Response:
    """The bundles and then their adapters; all of them can embed."""
    catalog = service_of(request).open.catalog
    names = [*catalog.shelves, *(name for _, name, _ in catalog.listed())]
    data = [{"id": name, "object": "model", "created": 0, "owned_by": "lowres-stilts"} for name in names]
    return json({"object": "list", "data": data})
