"""The bodies of requests, as the OpenAPI document shows them: unknown keys and wrong types are refused."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

NAME = "An adapter or a bundle, as GET /info lists them; `model` and `adapter` mean the same."
Text = Annotated[str, Field(min_length=1)]
Texts = Text | Annotated[list[Text], Field(min_length=1)]
Flag = bool | None
Right = Literal["Right", "right"]
"""Where a text is cut that is too long: at its end."""


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 3.0 is a 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
Name = Annotated[str, Field(min_length=1, max_length=300, description=NAME)] | None
SENTENCE = "Angela Merkel alizaliwa Hamburg."
MOST_ANSWERS = 20
"""Of one question."""


def shown(*examples: Any) -> ConfigDict:
    """The configuration of a body, with examples for the document."""
    return ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        use_attribute_docstrings=True,
        json_schema_extra={"examples": list(examples)},
    )


class Asked(BaseModel):
    """What every request may have."""

    model_config = shown()

    model: Name = None
    adapter: Name = None

    @property
    def names(self) -> set[str]:
        """What is named, once."""
        return {name for name in (self.model, self.adapter) if name is not None}


class EmbedAllRequest(Asked):
    """Texts whose tokens are to be embedded."""

    model_config = shown({"inputs": "Habari za asubuhi"})

    inputs: Texts
    truncate: Flag = False
    """Whether a text that is too long is cut; otherwise it is refused with 413."""
    truncation_direction: Right | None = None
    prompt_name: None = None


class EmbedRequest(EmbedAllRequest):
    """Texts to embed."""

    model_config = shown(
        {"inputs": "Habari za asubuhi"}, {"inputs": ["Good morning", "صبح بخیر"], "truncate": True}
    )

    normalize: Flag = True
    """Whether vectors are scaled to unit length."""
    dimensions: Annotated[int, WHOLE] | None = None
    """Nothing but the model's own width is accepted."""
    encoding_format: Literal["float"] | None = None
    """Vectors are lists of numbers here; `/v1/embeddings` has base64 as well."""


class PredictRequest(Asked):
    """A text, a pair of texts, or a batch of them; a flat list is a batch for an adapter that takes one text."""

    model_config = shown(
        {"inputs": "The cat sat on the mat."},
        {"inputs": ["Paka alikaa kwenye mkeka.", "Mnyama amekaa."]},
        {"inputs": [["The cat sat.", "An animal sat."], ["It rains.", "It is dry."]], "raw_scores": True},
    )

    inputs: (
        Text
        | Annotated[list[Text], Field(min_length=1)]
        | Annotated[list[Annotated[list[Text], Field(min_length=1, max_length=2)]], Field(min_length=1)]
    )
    raw_scores: Flag = False
    """Whether scores are left as the head gives them, and not made probabilities."""
    truncate: Flag = False
    """Whether a text that is too long is cut, as in training; otherwise it is refused with 413."""
    truncation_direction: Right | None = None


class RerankRequest(Asked):
    """Texts to put in the order of their likeness to a query."""

    model_config = shown({"query": "Where is the station?", "texts": ["Kituo kiko wapi?", "Mvua inanyesha."]})

    query: Text
    texts: Annotated[list[Text], Field(min_length=1)]
    raw_scores: Flag = False
    """Changes nothing: scores are cosines either way."""
    return_text: Flag = False
    truncate: Flag = False
    """Whether a text that is too long is cut; otherwise it is refused with 413."""
    truncation_direction: Right | None = None


class Sentences(BaseModel):
    """A sentence, and those that it is compared with."""

    model_config = shown()

    source_sentence: Text
    sentences: Annotated[list[Text], Field(min_length=1)]


class SimilarityParameters(BaseModel):
    """How sentences are read."""

    model_config = shown()

    truncate: Flag = False
    """Whether a text that is too long is cut; otherwise it is refused with 413."""
    truncation_direction: Right | None = None
    prompt_name: None = None


class SimilarityRequest(Asked):
    """Sentences to compare with one."""

    model_config = shown(
        {"inputs": {"source_sentence": "Where is the station?", "sentences": ["Kituo kiko wapi?", "Mvua."]}}
    )

    inputs: Sentences
    parameters: SimilarityParameters | None = None


class OpenAIEmbeddingsRequest(Asked):
    """As OpenAI's API has it; inputs are texts, not token ids."""

    model_config = shown({"input": ["Good morning", "Habari za asubuhi"], "encoding_format": "float"})

    input: Texts
    encoding_format: Literal["float", "base64"] | None = "float"
    """`base64` is little-endian float32."""
    dimensions: Annotated[int, WHOLE] | None = None
    """Nothing but the model's own width is accepted."""
    user: str | None = None
    truncate: Flag = False
    """Not OpenAI's: whether a text that is too long is cut; otherwise it is refused with 413."""


class TaggingParameters(BaseModel):
    """How tags are put together."""

    model_config = shown()

    aggregation_strategy: Literal["none", "simple", "first", "average", "max"] | None = "simple"
    """`none` gives every word its tag; all others join the words of an entity, as tags are those of words here."""
    ignore_labels: list[str] | None = None
    """Tags to leave out; `O` where it is not given."""


class TaggingRequest(Asked):
    """Texts to find entities or tags in."""

    model_config = shown(
        {"inputs": SENTENCE}, {"inputs": [SENTENCE], "parameters": {"aggregation_strategy": "none"}}
    )

    inputs: Texts
    parameters: TaggingParameters | None = None


class Question(BaseModel):
    """A question and where its answer is looked for."""

    model_config = shown()

    question: Text
    context: Text


class QuestionParameters(BaseModel):
    """How many answers."""

    model_config = shown()

    top_k: Annotated[int, Field(ge=1, le=MOST_ANSWERS), WHOLE] | None = None
    """With more than one, a question is answered with a list, best first."""


class QuestionRequest(Asked):
    """Questions to answer from their contexts."""

    model_config = shown(
        {
            "inputs": {
                "question": "Mwenge ulifika wapi?",
                "context": "Mwenge wa Uhuru ulifika Dodoma siku ya Jumatatu.",
            }
        }
    )

    inputs: Question | Annotated[list[Question], Field(min_length=1)]
    parameters: QuestionParameters | None = None


class TextPair(BaseModel):
    """A text, and maybe a second one."""

    model_config = shown()

    text: Text
    text_pair: Text | None = None


class ClassificationParameters(BaseModel):
    """Which labels, and how they are scored."""

    model_config = shown()

    top_k: Annotated[int, Field(ge=1), WHOLE] | None = None
    """How many labels, best first; all where it is not given."""
    function_to_apply: Literal["softmax", "none"] | None = "softmax"


class ClassificationRequest(Asked):
    """Texts or pairs to classify; those that are too long are cut, as in training."""

    model_config = shown(
        {"inputs": {"text": "Paka alikaa kwenye mkeka.", "text_pair": "Mnyama amekaa."}},
        {"inputs": ["It rains.", {"text": "It rains."}], "parameters": {"top_k": 1}},
    )

    inputs: Text | TextPair | Annotated[list[Text | TextPair], Field(min_length=1)]
    parameters: ClassificationParameters | None = None


class Choices(BaseModel):
    """A prompt and its possible continuations."""

    model_config = shown()

    prompt: Text
    choices: Annotated[list[Text], Field(min_length=1)]


class ChoiceRequest(Asked):
    """Prompts to choose the best continuation of."""

    model_config = shown(
        {"inputs": {"prompt": "The man fell asleep. What was the cause?", "choices": ["He was tired.", "He ran."]}}
    )

    inputs: Choices | Annotated[list[Choices], Field(min_length=1)]


class KnownAdapter(BaseModel):
    """An adapter that is in the bundle or in the watched folder."""

    model_config = shown({"name": "panx-small"})

    name: Annotated[str, Field(min_length=1, max_length=300)]


class HubAdapter(BaseModel):
    """A repository of the Hugging Face Hub that holds an adapter in the bundle's format."""

    model_config = shown({"repo": "owner/adapter-for-swahili", "revision": "main"})

    repo: Annotated[str, Field(min_length=3, max_length=200)]
    revision: Annotated[str, Field(min_length=1, max_length=100)] = "main"
    bundle: Annotated[str, Field(max_length=200)] | None = None
    """The bundle that it is for; the only one where it is not given."""
