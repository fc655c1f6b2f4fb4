"""From predictions to the JSON that clients of the Hugging Face Hub expect."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowres_stilts.runtime import Answer, Choice, Tagged
from lowres_stilts.runtime.families import softmax

Words = Sequence[tuple[int, int]]
"""Start and end of each."""


def labels(names: Sequence[str], scores: NDArray[np.float32], *, raw: bool) -> list[dict[str, Any]]:
    """Labels with their probabilities or raw scores `[labels]`, best first."""
    values = (scores if raw else softmax(scores)).tolist()
    order = sorted(range(len(names)), key=lambda number: -values[number])
    return [{"label": names[number], "score": values[number]} for number in order]


def word_tags(text: str, words: Words, tagged: Tagged, ignored: Collection[str]) -> list[dict[str, Any]]:
    """Every word with its tag, but for ignored ones."""
    return [
        {"entity": tag, "score": score, "word": text[start:end], "start": start, "end": end}
        for (start, end), tag, score in zip(words, tagged.tags, tagged.scores, strict=True)
        if tag not in ignored
    ]


def entities(text: str, words: Words, tagged: Tagged, ignored: Collection[str]) -> list[dict[str, Any]]:
    """Neighbouring words of one kind together, a `B-` beginning anew; the score is their mean."""
    found = []
    for kind, first, last in _runs(tagged.tags, ignored):
        start, end = words[first][0], words[last - 1][1]
        score = sum(tagged.scores[first:last]) / (last - first)
        found.append({"entity_group": kind, "score": score, "word": text[start:end], "start": start, "end": end})
    return found


def answers(answer: Answer, count: int) -> list[dict[str, Any]]:
    """The best answers."""
    return [
        {"answer": own.text, "score": own.score, "start": own.start, "end": own.end}
        for own in (answer, *answer.others)[:count]
    ]


def choice(found: Choice, choices: Sequence[str]) -> dict[str, Any]:
    """The best choice and the probability of each."""
    return {"index": found.index, "choice": choices[found.index], "scores": list(found.scores)}


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
