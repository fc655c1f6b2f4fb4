"""From predictions to the JSON that clients of the Hugging Face Hub expect."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowres_stilts.runtime import Answer, Choice, Tagged
from lowres_stilts.runtime.families import softmax


def labels(names: Sequence[str], scores: NDArray[np.float32], *, raw: bool) -> list[dict[str, Any]]:
    """Labels with their probabilities or raw scores `[labels]`, best first."""
    values = (scores if raw else softmax(scores)).tolist()
    order = sorted(range(len(names)), key=lambda number: -values[number])
    return [{"label": names[number], "score": values[number]} for number in order]


def word_tags(tagged: Tagged, ignored: Collection[str]) -> list[dict[str, Any]]:
    """Every word with its tag, but for ignored ones."""
    return [
        {"entity": tag, "score": score, "word": word, "start": start, "end": end}
        for word, (start, end), tag, score in zip(
            tagged.words, tagged.offsets, tagged.tags, tagged.scores, strict=True
        )
        if tag not in ignored
    ]


def entities(tagged: Tagged, ignored: Collection[str]) -> list[dict[str, Any]]:
    """Neighbouring words of one kind together; the score is their mean."""
    return [
        {
            "entity_group": found.label,
            "score": found.score,
            "word": found.text,
            "start": found.start,
            "end": found.end,
        }
        for found in tagged.grouped(ignored)
    ]


def answers(answer: Answer, count: int) -> list[dict[str, Any]]:
    """The best answers."""
    return [
        {"answer": own.text, "score": own.score, "start": own.start, "end": own.end}
        for own in (answer, *answer.others)[:count]
    ]


def choice(found: Choice, choices: Sequence[str]) -> dict[str, Any]:
    """The best choice and the probability of each."""
    return {"index": found.index, "choice": choices[found.index], "scores": list(found.scores)}
