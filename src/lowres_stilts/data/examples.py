"""The shapes of an example, one per family of tasks."""

from dataclasses import dataclass
from typing import Any, Literal

Defect = Literal["blank text", "undecided label", "row cut in two", "blank token"]
"""What is wrong with some records of published sets: a text or a token with nothing to read in it, a label on
which annotators did not agree, a row that a stray line end cut in two."""


@dataclass(frozen=True)
class TextExample:
    """A text, or a pair of texts, with one label."""

    text: str
    text_pair: str | None
    label: str | None


@dataclass(frozen=True)
class ChoiceExample:
    """A prompt, its possible continuations and the index of the right one."""

    prompt: str
    choices: tuple[str, ...]
    label: int | None


@dataclass(frozen=True)
class TaggedSentence:
    """Words and, where known, a tag for each."""

    words: tuple[str, ...]
    tags: tuple[str, ...] | None


@dataclass(frozen=True)
class Answer:
    """A stretch of the context, `context[start : start + len(text)]`."""

    text: str
    start: int


@dataclass(frozen=True)
class Question:
    """A question about a context."""

    id: str
    question: str
    context: str
    answers: tuple[Answer, ...] | None
    """The right ones, any of them; empty where the context has none, None where they are not known."""


@dataclass(frozen=True)
class Passage:
    """Something to embed: a sentence, or an answer with the text around it."""

    id: str
    text: str
    text_pair: str | None = None


@dataclass(frozen=True)
class Query:
    """A passage that searches, and the ids of the candidates that it should find."""

    passage: Passage
    answers: tuple[str, ...] | None
    """None where they are not known; empty where there is nothing to find."""


@dataclass(frozen=True)
class Pool:
    """Queries and the candidates that they search."""

    queries: tuple[Query, ...]
    candidates: tuple[Passage, ...]

    def __len__(self) -> int:
        return len(self.queries)


Example = TextExample | ChoiceExample | TaggedSentence | Question


@dataclass(frozen=True)
class Defective:
    """A record with a defect that its task tolerates."""

    defect: Defect
    example: Example | None = None
    """What tests keep of it; None where it is left out there as well."""


def is_labelled(example: Any) -> bool:
    """Whether its answer is known, be it that there is none; examples of plug-ins count as labelled."""
    match example:
        case TextExample() | ChoiceExample():
            return example.label is not None
        case TaggedSentence():
            return example.tags is not None
        case Question():
            return example.answers is not None
        case Defective():
            return example.example is not None and is_labelled(example.example)
    return True
