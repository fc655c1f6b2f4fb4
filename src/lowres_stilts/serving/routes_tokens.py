"""The routes of text-embeddings-inference that are about tokens: `/embed_all`, `/tokenize`, `/decode`."""

import asyncio
from typing import Any

import orjson
from fastapi import Request, Response

from lowres_stilts.serving.replies import SimpleToken
from lowres_stilts.serving.routes_tei import QUERY
from lowres_stilts.serving.routing import OF_BODIES, documented, json, named, note_of, router, service_of
from lowres_stilts.serving.schemas import EmbedAllRequest
from lowres_stilts.serving.schemas_tokens import DecodeRequest, TokenizeRequest

routes = router(*OF_BODIES)
VECTORS = documented([[[0.036, -0.021, 0.054], [0.012, 0.044, -0.031]]])
TOKENS = documented(
    [
        [
            {"id": 0, "text": "<s>", "special": True, "start": None, "stop": None},
            {"id": 28017, "text": "Habari", "special": False, "start": 0, "stop": 6},
            {"id": 2, "text": "</s>", "special": True, "start": None, "stop": None},
        ]
    ]
)
TEXTS = documented(["Habari"])


@routes.post(
    "/embed_all", tags=["texts"], response_model=list[list[list[float]]], responses=VECTORS, openapi_extra=QUERY
)
async def embed_all(body: EmbedAllRequest, request: Request) -> Response:
    """A vector for each token of each text, special ones too: what `/embed` pools, as long as they come."""
    texts = [body.inputs] if isinstance(body.inputs, str) else body.inputs
    _, found = await service_of(request).embed_tokens(
        note_of(request), named(request, body.names), texts, truncate=bool(body.truncate)
    )
    written = []
    for vectors in found:
        written.append(orjson.dumps(vectors, option=orjson.OPT_SERIALIZE_NUMPY))
        await asyncio.sleep(0)  # other requests may be large as well
    return Response(b"[%s]" % b",".join(written), media_type="application/json")


@routes.post(
    "/tokenize", tags=["texts"], response_model=list[list[SimpleToken]], responses=TOKENS, openapi_extra=QUERY
)
async def tokenize(body: TokenizeRequest, request: Request) -> Response:
    """The tokens that `/embed` makes of each text, with the bundle's prefix and without cutting anything off."""
    texts = [body.inputs] if isinstance(body.inputs, str) else body.inputs
    found = await service_of(request).tokenize(
        note_of(request),
        named(request, body.names),
        texts,
        special_tokens=body.add_special_tokens is not False,
    )
    return json(found)


@routes.post("/decode", tags=["texts"], response_model=list[str], responses=TEXTS, openapi_extra=QUERY)
async def decode(body: DecodeRequest, request: Request) -> Response:
    """The texts of lists of token ids; ids that are not in the vocabulary are left out."""
    lists: Any = body.ids  # a batch, as their check has made of them
    found = await service_of(request).decode(
        note_of(request),
        named(request, body.names),
        lists,
        skip_special_tokens=body.skip_special_tokens is not False,
    )
    return json(found)
