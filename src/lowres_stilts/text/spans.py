"""Answer spans: from characters to tokens when training, and back when predicting."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LONGEST_ANSWER = 30
"""Most tokens of an answer, as in SQuAD's baselines."""


@dataclass(frozen=True)
class Span:
    """A possible answer: characters of the context, and the sum of its start and end scores."""

    start: int
    end: int
    score: float


def token_span(offsets: Sequence[tuple[int, int]] | NDArray[np.int32], start: int, end: int) -> tuple[int, int]:
    """First and last token of the characters `start:end`, or `(0, 0)` where this window does not hold them all.

    Args:
        offsets: characters of each token, `[length, 2]`; negative outside the context.
        start: first character of the answer.
        end: one past its last character.
    """
    table = np.asarray(offsets)
    inside = np.flatnonzero((table[:, 0] >= 0) & (table[:, 1] > table[:, 0]))
    if not len(inside) or table[inside[0], 0] > start or table[inside[-1], 1] < end:
        return 0, 0
    touching = inside[(table[inside, 1] > start) & (table[inside, 0] < end)]
    return (int(touching[0]), int(touching[-1])) if len(touching) else (0, 0)


def best_spans(
    context: str,
    windows: Sequence[tuple[NDArray[np.int32], NDArray[np.float32]]],
    *,
    n_best: int = 20,
    longest: int = LONGEST_ANSWER,
) -> tuple[list[Span], float]:
    """The best spans of the context, best first, and the score of there being no answer.

    White space at the ends of a span is left out; no span is empty.

    Args:
        context: the text that the offsets point into.
        windows: of each window the offsets `[length, 2]` and the start and end scores `[length, 2]`.
        n_best: how many at most.
        longest: most tokens of a span.
    """
    found: dict[tuple[int, int], float] = {}
    null = np.inf
    for offsets, scores in windows:
        null = min(null, float(scores[0].sum()))
        for first, last in _pairs(offsets, scores, n_best, longest):
            score = float(scores[first, 0] + scores[last, 1])
            start, end = _trim(context, int(offsets[first, 0]), int(offsets[last, 1]))
            if start < end and score > found.get((start, end), -np.inf):
                found[start, end] = score
    spans = [Span(start, end, score) for (start, end), score in found.items()]
    return sorted(spans, key=lambda span: (-span.score, span.start, span.end))[:n_best], null


def _pairs(
    offsets: NDArray[np.int32], scores: NDArray[np.float32], n_best: int, longest: int
) -> list[tuple[int, int]]:
    """First and last tokens among the `n_best` starts and ends."""
    inside = np.flatnonzero(offsets[:, 0] >= 0)
    starts, ends = (inside[np.argsort(-scores[inside, column], kind="stable")[:n_best]] for column in (0, 1))
    return [(int(s), int(e)) for s in starts for e in ends if s <= e < s + longest]


def _trim(context: str, start: int, end: int) -> tuple[int, int]:
    text = context[start:end]
    start += len(text) - len(text.lstrip())
    return start, start + len(text.strip())
