"""From what a caller gives to token ids, and from scores to answers, by family of tasks."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lowres_stilts.errors import UsageError
from lowres_stilts.runtime.manifest import AdapterPart, FamilyName
from lowres_stilts.runtime.predictions import Answer, Choice, Label, Prediction, Tagged
from lowres_stilts.text.encode import WordWindow, texts_in_steps, words_in_steps
from lowres_stilts.text.slices import Steps
from lowres_stilts.text.spans import best_spans
from lowres_stilts.text.windows import STRIDE, contexts_in_steps
from lowres_stilts.text.words import words_in

Scores = NDArray[np.float32]
HeadName = Literal["sequence", "token"]
TAKEN = {None: "a text or a pair of texts", 1: "a text", 2: "a pair of texts"}
REFUSED = {
    1: 'takes one text, found a pair: write each text by itself, "..."',
    2: 'takes a pair of texts, found one text: write both, ["text", "text_pair"], or '
    '{"text": "...", "text_pair": "..."} where a route takes keys',
}
"""How an adapter that was trained on so many texts says no to others; never with what was given."""


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

    def check(self, part: AdapterPart, given: Any) -> Any:
        """What a caller gave, in the family's form.

        Raises:
            UsageError: it has another form, or another than the adapter was trained on.
        """
        ...

    def encode(self, tokenizer: Tokenizer, inputs: Sequence[Any], max_length: int) -> Steps[list[Encoded]]:
        """The sequences of checked inputs, in steps that other threads' may come between."""
        ...

    def decode(self, part: AdapterPart, given: Any, encoded: Encoded, scores: Sequence[Scores]) -> Prediction:
        """The answer, from the scores of each sequence: `[labels]` or `[length, labels]`."""
        ...


class Classification:
    """A text, or a pair of texts."""

    head: HeadName = "sequence"

    def check(self, part: AdapterPart, given: Any) -> tuple[str, str | None]:
        """`text` or `(text, text_pair)`: what the adapter was trained on, or either where that is not known."""
        texts = (given, None) if isinstance(given, str) else _pair(given, TAKEN[part.texts])
        if part.texts is not None and part.texts != (1 if texts[1] is None else 2):
            raise UsageError(f"adapter {part.name} {REFUSED[part.texts]}")
        return texts

    def encode(self, tokenizer: Tokenizer, inputs: Sequence[Any], max_length: int) -> Steps[list[Encoded]]:
        """One sequence each."""
        found = yield from texts_in_steps(tokenizer, inputs, max_length)
        return [Encoded([ids]) for ids in found]

    def decode(self, part: AdapterPart, given: Any, encoded: Encoded, scores: Sequence[Scores]) -> Label:
        """The label with the highest score."""
        shares = softmax(scores[0])
        best = int(shares.argmax())
        return Label(part.labels[best], float(shares[best]), dict(zip(part.labels, shares.tolist(), strict=True)))


class MultipleChoice:
    """A prompt and its possible continuations."""

    head: HeadName = "sequence"

    def check(self, part: AdapterPart, given: Any) -> tuple[str, tuple[str, ...]]:
        """`(prompt, [choice, ...])`."""
        match given:
            case (str() as prompt, [_, *_] as choices) if all(isinstance(choice, str) for choice in choices):
                return prompt, tuple(choices)
        raise UsageError(f"expected a prompt and a list of choices, found {_shown(given)}")

    def encode(self, tokenizer: Tokenizer, inputs: Sequence[Any], max_length: int) -> Steps[list[Encoded]]:
        """The prompt paired with each choice."""
        pairs = [(prompt, choice) for prompt, choices in inputs for choice in choices]
        ids = iter((yield from texts_in_steps(tokenizer, pairs, max_length)))
        return [Encoded([next(ids) for _ in choices]) for _, choices in inputs]

    def decode(self, part: AdapterPart, given: Any, encoded: Encoded, scores: Sequence[Scores]) -> Choice:
        """The choice with the highest score."""
        shares = softmax(np.concatenate(scores))
        return Choice(int(shares.argmax()), tuple(shares.tolist()))


@dataclass(frozen=True)
class Sentence:
    """A text and where its words are."""

    text: str
    offsets: tuple[tuple[int, int], ...]

    @property
    def words(self) -> tuple[str, ...]:
        """In their order."""
        return tuple(self.text[start:end] for start, end in self.offsets)

    @classmethod
    def of(cls, words: Sequence[str]) -> Self:
        """Words with a space between each."""
        ends = list(accumulate(len(word) + 1 for word in words))
        offsets = tuple((end - 1 - len(word), end - 1) for word, end in zip(words, ends, strict=True))
        return cls(" ".join(words), offsets)


class Tagging:
    """A sentence, as a text or as its words."""

    head: HeadName = "token"

    def check(self, part: AdapterPart, given: Any) -> Sentence:
        """A text, whose words are found, or a list of words."""
        match given:
            case str() if given:
                return Sentence(given, tuple(words_in(given)))
            case [_, *_] if all(isinstance(word, str) and word for word in given):
                return Sentence.of(given)
        raise UsageError(f"expected a sentence or a list of its words, found {_shown(given)}")

    def encode(self, tokenizer: Tokenizer, inputs: Sequence[Any], max_length: int) -> Steps[list[Encoded]]:
        """Windows that hold every word once; none for a text without words."""
        words = [sentence.words for sentence in inputs]
        windows_of = iter((yield from words_in_steps(tokenizer, [own for own in words if own], max_length)))
        return [_windows(next(windows_of)) if own else Encoded([]) for own in words]

    def decode(self, part: AdapterPart, given: Any, encoded: Encoded, scores: Sequence[Scores]) -> Tagged:
        """The tag that the first piece of each word has."""
        if not encoded.ids:
            return Tagged((), (), ())
        rows = np.concatenate([row[places] for row, places in zip(scores, encoded.places, strict=True)])
        shares = softmax(rows)
        tags = tuple(part.labels[tag] for tag in shares.argmax(axis=-1))
        likely = tuple(shares.max(axis=-1).tolist())
        return Tagged(given.words, tags, likely, given.text, given.offsets)


class QuestionAnswering:
    """A question and its context."""

    head: HeadName = "token"

    def check(self, part: AdapterPart, given: Any) -> tuple[str, str]:
        """`(question, context)`."""
        return _pair(given, "a question and its context")

    def encode(self, tokenizer: Tokenizer, inputs: Sequence[Any], max_length: int) -> Steps[list[Encoded]]:
        """Windows over the context, the question before each."""
        windows_of = yield from contexts_in_steps(tokenizer, inputs, max_length, STRIDE)
        found = []
        for windows in windows_of:
            offsets = [np.array(window.offsets, np.int32) for window in windows]
            found.append(Encoded([window.ids for window in windows], offsets=offsets))
            yield
        return found

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


def _windows(windows: Sequence[WordWindow]) -> Encoded:
    return Encoded([window.ids for window in windows], places=[window.first_pieces for window in windows])


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
    elif isinstance(given, Sentence):
        require_characters(given.text)
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
