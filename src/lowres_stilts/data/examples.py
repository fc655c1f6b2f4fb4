"""The shapes of an example, one per family of tasks."""

from dataclasses import dataclass


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
class SentencePair:
    """A sentence and its English translation."""

    source: str
    english: str


Example = TextExample | ChoiceExample | TaggedSentence | SentencePair
