"""What a bundle answers, one form for each family of tasks."""

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
class Tagged:
    """A tag for every word."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    scores: tuple[float, ...]
    """The probability of each tag."""


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


Prediction = Label | Tagged | Answer | Choice
