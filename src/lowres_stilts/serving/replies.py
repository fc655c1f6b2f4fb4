"""The bodies of answers, for the OpenAPI document; the service writes them without going through these."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Reply(BaseModel):
    """No other keys."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class ErrorReply(Reply):
    """Why a request has no answer."""

    error: str
    """One line."""
    error_type: str


class Health(Reply):
    """The service can answer."""

    status: Literal["ok"]


class LabelScore(Reply):
    """A label and how likely it is."""

    label: str
    score: float


class Ranked(BaseModel):
    """A text of a reranking."""

    model_config = ConfigDict(extra="forbid")

    index: int
    score: float
    text: str | None = None


class SimpleToken(Reply):
    """A token of a text."""

    id: int
    text: str
    """Its part of the text, or the name of a special token."""
    special: bool
    start: int | None
    """In bytes of the text's UTF-8, the bundle's prefix included."""
    stop: int | None


class Entity(Reply):
    """An entity, or with `none` a word and its tag."""

    entity_group: str | None = None
    entity: str | None = None
    score: float
    word: str
    start: int
    end: int


class AnswerReply(Reply):
    """An answer in its context; empty where there is none."""

    answer: str
    score: float
    start: int
    end: int


class ChoiceReply(Reply):
    """The best continuation."""

    index: int
    choice: str
    scores: list[float]


class Embedding(Reply):
    """One vector, as numbers or as base64."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class Usage(Reply):
    """Tokens that were read."""

    prompt_tokens: int
    total_tokens: int


class Embeddings(Reply):
    """As OpenAI's API has it."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: Usage


class ModelCard(Reply):
    """A bundle or an adapter."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class Models(Reply):
    """As OpenAI's API has it."""

    object: Literal["list"]
    data: list[ModelCard]


class AdapterInfo(Reply):
    """What an adapter is for."""

    name: str
    version: str
    """Of its content: weights, and what is said of them; answers have it in `X-Adapter-Version`."""
    sha256: str
    """Of the file of its weights."""
    task: str
    family: str
    texts: int | None
    """Of a classified example: one, or two for a pair; null where it is not known, and for other families."""
    labels: list[str]
    max_length: int
    licence: str


class BundleInfo(Reply):
    """A base and its adapters."""

    name: str
    base: str
    quantize: str
    languages: list[str] | None
    """Those that the vocabulary was trimmed to."""
    hidden: int
    adapters: list[AdapterInfo]


class Info(BaseModel):
    """What text-embeddings-inference tells, and the bundles."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    model_id: str
    model_sha: str | None
    model_dtype: str
    model_type: dict[str, dict[str, str]]
    max_concurrent_requests: int
    max_input_length: int
    max_batch_tokens: int
    max_batch_requests: int | None
    max_client_batch_size: int
    auto_truncate: bool
    tokenization_workers: int
    version: str
    sha: str | None
    docker_label: str | None
    bundles: list[BundleInfo]


class AdapterState(AdapterInfo):
    """An adapter, for the operator."""

    bundle: str
    loaded: bool
    """Whether it is in memory; otherwise it is loaded when it is asked for."""
    previous: str | None
    """The version that can be put back."""


class AdapterStates(Reply):
    """All adapters that can be asked for, and those that were unloaded."""

    adapters: list[AdapterState]
    unloaded: list[str]


class Unloaded(Reply):
    """An adapter that nobody can ask for any more."""

    unloaded: str
