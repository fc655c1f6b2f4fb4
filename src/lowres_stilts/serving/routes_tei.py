"""The routes of text-embeddings-inference: `/embed`, `/similarity`, `/predict`, `/rerank`."""

from typing import Any

import numpy as np
from fastapi import Request, Response
from numpy.typing import NDArray

from lowres_stilts.errors import UsageError
from lowres_stilts.serving import answers
from lowres_stilts.serving.problems import UNPROCESSABLE, Refusal
from lowres_stilts.serving.replies import LabelScore, Ranked
from lowres_stilts.serving.routing import ADAPTER, OF_BODIES, documented, json, named, note_of, router, service_of
from lowres_stilts.serving.schemas import EmbedRequest, PredictRequest, RerankRequest, SimilarityRequest

routes = router(*OF_BODIES)
QUERY: dict[str, Any] = {"parameters": [ADAPTER]}
VECTORS = documented([[0.036, -0.021, 0.054]])
BATCHES = {None: '[["..."], ["..."]]', 2: '[["text", "text_pair"], ["text", "text_pair"]]'}
"""How a batch is written for an adapter that was trained on so many texts."""
LABELS = documented([{"label": "entailment", "score": 0.81}, {"label": "neutral", "score": 0.19}])
COSINES = documented([0.87, 0.79])
RANKS = documented([{"index": 0, "score": 0.87}, {"index": 1, "score": 0.79}])


@routes.post("/embed", tags=["texts"], response_model=list[list[float]], responses=VECTORS, openapi_extra=QUERY)
async def embed(body: EmbedRequest, request: Request) -> Response:
    """A vector for each text."""
    return json(await _vectors(body, request))


@routes.post(
    "/feature-extraction", tags=["texts"], response_model=list[list[float]], responses=VECTORS, openapi_extra=QUERY
)
async def feature_extraction(body: EmbedRequest, request: Request) -> Response:
    """A vector for each text, for clients of the Hugging Face Hub."""
    return json(await _vectors(body, request))


@routes.post("/", tags=["texts"], response_model=list[list[float]], responses=VECTORS, openapi_extra=QUERY)
async def root(body: EmbedRequest, request: Request) -> Response:
    """A vector for each text, for clients that know the address of the service only."""
    return json(await _vectors(body, request))


@routes.post(
    "/predict",
    tags=["classification"],
    response_model=list[LabelScore] | list[list[LabelScore]],
    responses=LABELS,
    openapi_extra=QUERY,
)
async def predict(body: PredictRequest, request: Request) -> Response:
    """The labels of a text or a pair of texts, most likely first; a list of them for a batch.

    What a list of texts is depends on the adapter: a batch where it was trained on one text, a pair where it was
    trained on pairs.
    """
    inputs, is_batch = await _inputs(body, request)
    texts = [text for item in inputs for text in ([item] if isinstance(item, str) else item)]
    target, found = await service_of(request).answer(
        note_of(request),
        named(request, body.names),
        "classification",
        inputs,
        texts,
        truncate=bool(body.truncate),
    )
    names = target.adapter.part.labels if target.adapter else []
    replies = [answers.labels(names, scores[0], raw=bool(body.raw_scores)) for _, scores in found]
    return json(replies if is_batch else replies[0])


@routes.post(
    "/rerank",
    tags=["texts"],
    response_model=list[Ranked],
    response_model_exclude_none=True,
    responses=RANKS,
    openapi_extra=QUERY,
)
async def rerank(body: RerankRequest, request: Request) -> Response:
    """The texts that are most like the query first, by the cosine of their vectors."""
    _, found = await service_of(request).embed(
        note_of(request), named(request, body.names), [body.query, *body.texts], truncate=bool(body.truncate)
    )
    vectors = unit(found)
    scores = (vectors[1:] @ vectors[0]).tolist()
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    replies = [{"index": index, "score": scores[index]} for index in order]
    if body.return_text:
        replies = [{**reply, "text": body.texts[int(reply["index"])]} for reply in replies]
    return json(replies)


@routes.post("/similarity", tags=["texts"], response_model=list[float], responses=COSINES, openapi_extra=QUERY)
async def similarity(body: SimilarityRequest, request: Request) -> Response:
    """How much each sentence is like the first one: the cosine of their vectors."""
    texts = [body.inputs.source_sentence, *body.inputs.sentences]
    truncate = body.parameters is not None and bool(body.parameters.truncate)
    _, found = await service_of(request).embed(
        note_of(request), named(request, body.names), texts, truncate=truncate
    )
    vectors = unit(found)
    return json(vectors[1:] @ vectors[0])


async def require_width(request: Request, name: str | None, dimensions: int | None) -> None:
    """Whether vectors have the width that is asked for.

    Raises:
        Refusal: they have another one, or there is no such model.
    """
    if dimensions is None:
        return
    target = await service_of(request).open.catalog.encoder(name)
    hidden = target.bundle.manifest.base.hidden
    if dimensions != hidden:
        raise Refusal(UNPROCESSABLE, f"dimensions: the vectors of {target.name} have {hidden}; leave it out")


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors of length one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = vectors / np.maximum(lengths, 1e-12)
    return scaled


async def _inputs(body: PredictRequest, request: Request) -> tuple[list[str | tuple[str, str]], bool]:
    """Texts and pairs, and whether they are a batch.

    Raises:
        Refusal: no such adapter.
        UsageError: several texts are neither a pair nor a batch.
    """
    if isinstance(body.inputs, str):
        return [body.inputs], False
    lists = [item for item in body.inputs if isinstance(item, list)]
    if lists:
        return [_one_or_two(item) for item in lists], True
    flat = [item for item in body.inputs if isinstance(item, str)]
    part = await service_of(request).adapter(named(request, body.names), "classification")
    if part is not None and part.texts == 1:
        return list(flat), True
    if len(flat) > 2:
        form = BATCHES[part.texts if part else None]
        raise UsageError(f"inputs: {len(flat)} texts are no pair; write a list for each: {form}")
    return [_one_or_two(flat)], False


def _one_or_two(texts: list[str]) -> str | tuple[str, str]:
    return texts[0] if len(texts) == 1 else (texts[0], texts[1])


async def _vectors(body: EmbedRequest, request: Request) -> NDArray[np.float32]:
    texts = [body.inputs] if isinstance(body.inputs, str) else body.inputs
    name = named(request, body.names)
    await require_width(request, name, body.dimensions)
    _, found = await service_of(request).embed(note_of(request), name, texts, truncate=bool(body.truncate))
    return found if body.normalize is False else unit(found)
