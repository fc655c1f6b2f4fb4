"""What a bundle answers, one form for each family of tasks."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Label:
    """Of a text or a pair of texts."""

    label: str
    score: float
    """Its probability."""
    scores: dict[str, float]
    """The probability of every label."""


@dataclass(frozen=True)
class Entity:
    """Neighbouring words of one kind."""

    label: str
    """The tag without `B-` or `I-`."""
    text: str
    start: int
    end: int
    """First character, and the one behind the last."""
    score: float
    """The mean over its words."""


@dataclass(frozen=True)
class Tagged:
    """A tag for every word."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    scores: tuple[float, ...]
    """The probability of each tag."""
    text: str = field(default="", repr=False, compare=False)
    """What was given; of words, these with a space between."""
    offsets: tuple[tuple[int, int], ...] = field(default=(), repr=False, compare=False)
    """First character of each word in the text, and the one behind its last."""

    @property
    def entities(self) -> tuple[Entity, ...]:
        """Words that belong together, those that are outside (`O`) left out."""
        return self.grouped({"O"})

    def grouped(self, ignored: Collection[str]) -> tuple[Entity, ...]:
        """Neighbouring words of one kind together, a `B-` beginning anew; those with ignored tags are left out."""
        found = []
        for label, first, last in _runs(self.tags, ignored):
            start, end = self.offsets[first][0], self.offsets[last - 1][1]
            score = sum(self.scores[first:last]) / (last - first)
            found.append(Entity(label, self.text[start:end], start, end, score))
        return tuple(found)


@dataclass(frozen=True)
class Answer:
    """A stretch of the context; empty where the task knows questions without an answer and this is one."""

    text: str
    start: int
    end: int
    score: float
    """How likely the span is among the best ones of this context, and no answer where the task knows that."""
    others: tuple["Answer", ...] = field(default=(), repr=False)
    """The next best ones, best first."""


@dataclass(frozen=True)
class Choice:
    """The best of several continuations."""

    index: int
    scores: tuple[float, ...]
    """The probability of each."""


def _runs(tags: Sequence[str], ignored: Collection[str]) -> Iterator[tuple[str, int, int]]:
    """Kind, first word and one past the last word of each entity."""
    start = 0
    for place in range(1, len(tags) + 1):
        goes_on = (
            place < len(tags) and not tags[place].startswith("B-") and _kind(tags[place]) == _kind(tags[start])
        )
        if not goes_on:
            if tags[start] not in ignored:
                yield _kind(tags[start]), start, place
            start = place


def _kind(tag: str) -> str:
    return tag[2:] if tag.startswith(("B-", "I-")) else tag


Prediction = Label | Tagged | Answer | Choice
