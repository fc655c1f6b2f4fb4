"""From what a caller gives to token ids, and from scores to answers, by family of tasks."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lowres_stilts.errors import UsageError
from lowres_stilts.runtime.manifest import AdapterPart, FamilyName
from lowres_stilts.runtime.predictions import Answer, Choice, Label, Prediction, Tagged
from lowres_stilts.text.encode import encode_texts, encode_words
from lowres_stilts.text.spans import best_spans
from lowres_stilts.text.windows import STRIDE, encode_contexts
from lowres_stilts.text.words import words_in

Scores = NDArray[np.float32]
HeadName = Literal["sequence", "token"]


@dataclass(frozen=True)
class Encoded:
    """The sequences of one input."""

    ids: list[list[int]]
    places: list[list[int]] = field(default_factory=list)
    """Of each sequence, where its words start."""
    offsets: list[NDArray[np.int32]] = field(default_factory=list)
    """Of each sequence, the characters of the context that each token is, `[length, 2]`."""


class Family(Protocol):
    """How tasks of a family are asked and answered."""

    head: HeadName

    def check(self, given: Any) -> Any:
        """What a caller gave, in the family's form.

        Raises:
            UsageError: it has another form.
        """
        ...

    def encode(self, tokenizer: Tokenizer, inputs: Sequence[Any], max_length: int) -> list[Encoded]:
        """The sequences of checked inputs."""
        ...

    def decode(self, part: AdapterPart, given: Any, encoded: Encoded, scores: Sequence[Scores]) -> Prediction:
        """The answer, from the scores of each sequence: `[labels]` or `[length, labels]`."""
        ...


def require_texts(part: AdapterPart, given: tuple[str, str | None]) -> None:
    """Whether there are as many texts as the adapter was trained on, where that is known.

    Raises:
        UsageError: it is a pair for one text, or the reverse.
    """
    found = 1 if given[1] is None else 2
    if part.texts is not None and part.texts != found:
        wanted = "one text" if part.texts == 1 else "a pair of texts"
        raise UsageError(f"adapter {part.name} takes {wanted}, found {'one text' if found == 1 else 'a pair'}")


class Classification:
    """A text, or a pair of texts."""

    head: HeadName = "sequence"

    def check(self, given: Any) -> tuple[str, str | None]:
        """`text` or `(text, text_pair)`."""
        if isinstance(given, str):
            return given, None
        return _pair(given, "a text or a pair of texts")

    def encode(self, tokenizer: Tokenizer, inputs: Sequence[Any], max_length: int) -> list[Encoded]:
        """One sequence each."""
        return [Encoded([ids]) for ids in encode_texts(tokenizer, inputs, max_length)]

    def decode(self, part: AdapterPart, given: Any, encoded: Encoded, scores: Sequence[Scores]) -> Label:
        """The label with the highest score."""
        shares = softmax(scores[0])
        best = int(shares.argmax())
        return Label(part.labels[best], float(shares[best]), dict(zip(part.labels, shares.tolist(), strict=True)))


class MultipleChoice:
    """A prompt and its possible continuations."""

    head: HeadName = "sequence"

    def check(self, given: Any) -> tuple[str, tuple[str, ...]]:
        """`(prompt, [choice, ...])`."""
        match given:
            case (str() as prompt, [_, *_] as choices) if all(isinstance(choice, str) for choice in choices):
                return prompt, tuple(choices)
        raise UsageError(f"expected a prompt and a list of choices, found {_shown(given)}")

    def encode(self, tokenizer: Tokenizer, inputs: Sequence[Any], max_length: int) -> list[Encoded]:
        """The prompt paired with each choice."""
        pairs = [(prompt, choice) for prompt, choices in inputs for choice in choices]
        ids = iter(encode_texts(tokenizer, pairs, max_length))
        return [Encoded([next(ids) for _ in choices]) for _, choices in inputs]

    def decode(self, part: AdapterPart, given: Any, encoded: Encoded, scores: Sequence[Scores]) -> Choice:
        """The choice with the highest score."""
        shares = softmax(np.concatenate(scores))
        return Choice(int(shares.argmax()), tuple(shares.tolist()))


class Sentence(NamedTuple):
    """The words of a text and where they are."""

    words: tuple[str, ...]
    offsets: tuple[tuple[int, int], ...]
    text: str


class Tagging:
    """A sentence, as a text or as words."""

    head: HeadName = "token"

    def check(self, given: Any) -> Sentence:
        """A text, whose words are found as everywhere, or a list of words."""
        if isinstance(given, str) and (places := words_in(given)):
            return Sentence(tuple(given[start:end] for start, end in places), tuple(places), given)
        if isinstance(given, list | tuple) and given and all(isinstance(word, str) and word for word in given):
            ends = list(accumulate(len(word) + 1 for word in given))
            places = [(end - len(word) - 1, end - 1) for word, end in zip(given, ends, strict=True)]
            return Sentence(tuple(given), tuple(places), " ".join(given))
        raise UsageError(f"expected a sentence or a list of its words, found {_shown(given)}")

    def encode(self, tokenizer: Tokenizer, inputs: Sequence[Any], max_length: int) -> list[Encoded]:
        """Windows that hold every word once."""
        return [
            Encoded([window.ids for window in windows], places=[window.first_pieces for window in windows])
            for windows in encode_words(tokenizer, [sentence.words for sentence in inputs], max_length)
        ]

    def decode(self, part: AdapterPart, given: Any, encoded: Encoded, scores: Sequence[Scores]) -> Tagged:
        """The tag that the first piece of each word has."""
        rows = np.concatenate([row[places] for row, places in zip(scores, encoded.places, strict=True)])
        shares = softmax(rows)
        best = shares.argmax(axis=-1)
        tags, sure = tuple(part.labels[tag] for tag in best), tuple(shares.max(axis=-1).tolist())
        return Tagged(given.words, tags, sure, given.text, given.offsets)


class QuestionAnswering:
    """A question and its context."""

    head: HeadName = "token"

    def check(self, given: Any) -> tuple[str, str]:
        """`(question, context)`."""
        return _pair(given, "a question and its context")

    def encode(self, tokenizer: Tokenizer, inputs: Sequence[Any], max_length: int) -> list[Encoded]:
        """Windows over the context, the question before each."""
        return [
            Encoded([w.ids for w in windows], offsets=[np.array(w.offsets, np.int32) for w in windows])
            for windows in encode_contexts(tokenizer, inputs, max_length, STRIDE)
        ]

    def decode(self, part: AdapterPart, given: Any, encoded: Encoded, scores: Sequence[Scores]) -> Answer:
        """The best span; none where that is better and the task knows it."""
        _, context = given
        spans, null = best_spans(context, list(zip(encoded.offsets, scores, strict=True)))
        scored = [(span.score, span.start, span.end) for span in spans]
        if part.no_answer:
            # Before equal ones, a span is preferred to no answer, which is the last of them here.
            scored = sorted([*scored, (null, 0, 0)], key=lambda item: -item[0])
        if not scored:
            return Answer("", 0, 0, 0.0)
        shares = softmax(np.array([score for score, _, _ in scored])).tolist()
        best, *others = (
            Answer(context[start:end], start, end, share)
            for (_, start, end), share in zip(scored, shares, strict=True)
        )
        return replace(best, others=tuple(others))


FAMILIES: dict[FamilyName, Family] = {
    "classification": Classification(),
    "multiple_choice": MultipleChoice(),
    "tagging": Tagging(),
    "qa": QuestionAnswering(),
}


def softmax(scores: NDArray[Any]) -> NDArray[Any]:
    """Probabilities over the last axis."""
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares: NDArray[Any] = shifted / shifted.sum(axis=-1, keepdims=True)
    return shares


def require_characters(given: Any) -> None:
    """Whether a checked input is text that can be encoded.

    Raises:
        UsageError: a text has half of a surrogate pair in it.
    """
    if isinstance(given, str):
        try:
            given.encode()
        except UnicodeEncodeError as error:
            raise UsageError(f"{_shown(given)}: character {error.start} is half of a surrogate pair") from None
    elif isinstance(given, tuple):
        for part in given:
            require_characters(part)


def _pair(given: Any, wanted: str) -> tuple[str, str]:
    match given:
        case (str() as first, str() as second):
            return first, second
    raise UsageError(f"expected {wanted}, found {_shown(given)}")


def _shown(given: Any) -> str:
    text = repr(given)
    return text if len(text) < 60 else f"{text[:57]}..."
