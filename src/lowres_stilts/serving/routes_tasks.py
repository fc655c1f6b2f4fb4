"""Routes in the schemas of the Hugging Face Hub's tasks."""

from typing import Any

from fastapi import Request, Response

from lowres_stilts.runtime import Answer, Choice, Tagged
from lowres_stilts.serving import answers
from lowres_stilts.serving.replies import AnswerReply, ChoiceReply, Entity, LabelScore
from lowres_stilts.serving.routes_tei import QUERY
from lowres_stilts.serving.routing import OF_BODIES, documented, json, named, note_of, router, service_of
from lowres_stilts.serving.schemas import (
    ChoiceRequest,
    ClassificationRequest,
    QuestionRequest,
    TaggingRequest,
    TextPair,
)

routes = router(*OF_BODIES)
ENTITIES = documented([{"entity_group": "PER", "score": 0.91, "word": "Angela Merkel", "start": 0, "end": 13}])
ANSWER = documented({"answer": "Dodoma", "score": 0.52, "start": 24, "end": 30})
LABELS = documented([[{"label": "entailment", "score": 0.81}, {"label": "neutral", "score": 0.19}]])
CHOICE = documented({"index": 0, "choice": "He was tired.", "scores": [0.7, 0.3]})


@routes.post(
    "/token-classification",
    tags=["tagging"],
    response_model=list[Entity] | list[list[Entity]],
    response_model_exclude_none=True,
    responses=ENTITIES,
    openapi_extra=QUERY,
)
async def token_classification(body: TaggingRequest, request: Request) -> Response:
    """Entities of a text, or with `none` every word's tag; a list of them for a batch."""
    texts = [body.inputs] if isinstance(body.inputs, str) else body.inputs
    parameters = body.parameters
    ignored = ["O"] if parameters is None or parameters.ignore_labels is None else parameters.ignore_labels
    is_bare = parameters is not None and parameters.aggregation_strategy == "none"
    _, found = await service_of(request).answer(
        note_of(request), named(request, body.names), "tagging", texts, texts
    )
    replies: list[list[dict[str, Any]]] = []
    for item, scores in found:
        own = item.decode(scores)
        assert isinstance(own, Tagged)  # noqa: S101 the adapter is of this family
        replies.append((answers.word_tags if is_bare else answers.entities)(own, ignored))
    return json(replies[0] if isinstance(body.inputs, str) else replies)


@routes.post(
    "/question-answering",
    tags=["question answering"],
    response_model=AnswerReply | list[AnswerReply] | list[list[AnswerReply]],
    responses=ANSWER,
    openapi_extra=QUERY,
)
async def question_answering(body: QuestionRequest, request: Request) -> Response:
    """The answer in the context; a list for a batch, and a list for `top_k` over one."""
    batch = body.inputs if isinstance(body.inputs, list) else [body.inputs]
    inputs = [(one.question, one.context) for one in batch]
    texts = [text for pair in inputs for text in pair]
    _, found = await service_of(request).answer(note_of(request), named(request, body.names), "qa", inputs, texts)
    count = (body.parameters.top_k if body.parameters else None) or 1
    replies: list[Any] = []
    for item, scores in found:
        best = item.decode(scores)
        assert isinstance(best, Answer)  # noqa: S101 the adapter is of this family
        own = answers.answers(best, count)
        replies.append(own if count > 1 else own[0])
    return json(replies if isinstance(body.inputs, list) else replies[0])


@routes.post(
    "/text-classification",
    tags=["classification"],
    response_model=list[list[LabelScore]],
    responses=LABELS,
    openapi_extra=QUERY,
)
async def text_classification(body: ClassificationRequest, request: Request) -> Response:
    """A list of labels for each text, most likely first; also for one text, as the Hub answers."""
    batch = body.inputs if isinstance(body.inputs, list) else [body.inputs]
    inputs: list[Any] = [_pair(item) for item in batch]
    texts = [text for item in inputs for text in ([item] if isinstance(item, str) else item)]
    target, found = await service_of(request).answer(
        note_of(request), named(request, body.names), "classification", inputs, texts
    )
    names = target.adapter.part.labels if target.adapter else []
    parameters = body.parameters
    is_raw = parameters is not None and parameters.function_to_apply == "none"
    count = parameters.top_k if parameters else None
    return json([answers.labels(names, scores[0], raw=is_raw)[:count] for _, scores in found])


@routes.post(
    "/multiple-choice",
    tags=["multiple choice"],
    response_model=ChoiceReply | list[ChoiceReply],
    responses=CHOICE,
    openapi_extra=QUERY,
)
async def multiple_choice(body: ChoiceRequest, request: Request) -> Response:
    """The best continuation of a prompt; a list for a batch."""
    batch = body.inputs if isinstance(body.inputs, list) else [body.inputs]
    inputs = [(one.prompt, one.choices) for one in batch]
    texts = [text for one in batch for text in (one.prompt, *one.choices)]
    _, found = await service_of(request).answer(
        note_of(request), named(request, body.names), "multiple_choice", inputs, texts
    )
    replies = []
    for (item, scores), one in zip(found, batch, strict=True):
        best = item.decode(scores)
        assert isinstance(best, Choice)  # noqa: S101 the adapter is of this family
        replies.append(answers.choice(best, one.choices))
    return json(replies if isinstance(body.inputs, list) else replies[0])


def _pair(given: str | TextPair) -> str | tuple[str, str]:
    if isinstance(given, str):
        return given
    return given.text if given.text_pair is None else (given.text, given.text_pair)
