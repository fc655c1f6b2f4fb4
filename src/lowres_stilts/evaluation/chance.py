"""What a system scores that learned nothing: the commonest answer, given to every example."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.tasks.families import DECODERS
from lowres_stilts.tasks.task import Task

LEAST_POINTS = 2.0
"""What a score has to be above one answer for all, where two standard errors of a share are less."""


def score_of_one_answer(task: Task, examples: Sequence[Any], language: str) -> float:
    """Points of the commonest answer to all examples, or of the commonest tag on all words.

    Args:
        task: of a family whose scores become predictions.
        examples: labelled.
        language: theirs.
    """
    gold, metric = gold_answers(task, examples), METRICS[task.metric]
    ((answer, _),) = [("", 0)] if task.family == "qa" else Counter(pieces_of(gold)).most_common(1)
    return metric.score(metric.table(gold, _constant(gold, answer), language))


def is_within_noise(score: float, chance: float, examples: int | None) -> bool:
    """Whether a score could be that of one answer for all.

    Args:
        score: in points.
        chance: of one answer for all, in points.
        examples: how many were scored; where that is not known, only a score that is no higher counts.
    """
    return score <= chance + (0.0 if examples is None else _noise(chance, examples))


def gold_answers(task: Task, examples: Sequence[Any]) -> list[Any]:
    """The right answers, in the form of the family's predictions."""
    return [DECODERS[task.family].gold(example) for example in examples]


def pieces_of(answers: Sequence[Any]) -> list[Any]:
    """Answers, or the tags of all words."""
    return [piece for each in answers for piece in (each if isinstance(each, tuple) else (each,))]


def _constant(gold: Sequence[Any], answer: Any) -> list[Any]:
    """The same answer to each, for every word where words are labelled."""
    tagged = isinstance(answer, str) and any(isinstance(each, tuple) for each in gold) and answer != ""
    return [(answer,) * len(each) if tagged else answer for each in gold]


def _noise(chance: float, examples: int) -> float:
    """Two standard errors of a share of this many examples, in points, and no less than a few."""
    share = min(1.0, max(0.0, chance / 100))
    return max(LEAST_POINTS, 200 * math.sqrt(share * (1 - share) / examples))
