"""What should worry whoever trains: signs that little or nothing was learned."""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from lowres_stilts.evaluation.chance import gold_answers, is_within_noise, pieces_of, score_of_one_answer
from lowres_stilts.evaluation.transfer import ENGLISH_CODES
from lowres_stilts.recipe.training import TrainSettings
from lowres_stilts.tasks.families import DECODERS
from lowres_stilts.tasks.task import Task

FEW_UPDATES, FEW_DEV_EXAMPLES = 100, 50
NEARLY_ALL = 0.95
LEAST_FALL = 0.02
"""Share of its first value that the loss has to fall by."""
FEW_LOSSES = 20
"""Fewer tell nothing of a trend."""


def dev_name(languages: Sequence[str]) -> str:
    """What a dev set in these languages is called."""
    return f"{'English' if ENGLISH_CODES.issuperset(languages) else ', '.join(languages)} dev"


def on_length(updates: int, settings: TrainSettings) -> list[str]:
    """Of the number of updates."""
    if updates >= FEW_UPDATES:
        return []
    wanted = f"only {updates} updates were made, where most tasks want {FEW_UPDATES} and more"
    pace = settings.pace
    change = f"train.tokens_per_batch (now {pace.tokens_per_batch}) or raise train.epochs (now {pace.epochs})"
    return [f"{wanted}: lower {change}"]


def on_losses(losses: Sequence[float]) -> list[str]:
    """Of the loss of every update, from the first to the last."""
    if len(losses) < FEW_LOSSES:
        return []
    tenth = max(5, len(losses) // 10)
    first, last = fmean(losses[:tenth]), fmean(losses[-tenth:])
    if last <= (1 - LEAST_FALL) * first:
        return []
    return [f"the loss did not fall, from {first:.3f} to {last:.3f}: try another train.lr, or more epochs"]


def on_dev(
    task: Task,
    examples: Sequence[Any],
    score: float,
    answers: Sequence[Any],
    languages: Sequence[str] = ("en",),
) -> list[str]:
    """Of the score on a dev set, and the answers that it comes from.

    Args:
        task: whose.
        examples: of the dev set.
        score: in points.
        answers: predictions, in the order of the examples; none where they are not known.
        languages: of the examples.
    """
    if task.family not in DECODERS or not examples:
        return []
    told, dev = [], f"the {dev_name(languages)} set"
    if len(examples) < FEW_DEV_EXAMPLES:
        told.append(f"{task.name}: {len(examples)} dev examples are too few to choose the best weights by")
    chance = score_of_one_answer(task, examples, task.english)
    if is_within_noise(score, chance, len(examples)):
        found = f"{task.name}: {score:.1f} points on {dev}"
        told.append(f"{found}, where always the same answer gets {chance:.1f}: nothing was learned")
    if answers and (same := _same(answers)) is not None and same != _same(gold_answers(task, examples)):
        told.append(f"{task.name}: nearly all answers on {dev} are {same!r}")
    return told


def _same(answers: Sequence[Any]) -> Any:
    """What nearly all answers are; None where they differ."""
    counted = Counter(pieces_of(answers)).most_common(1)
    if not counted or len(answers) < FEW_LOSSES:
        return None
    answer, count = counted[0]
    return answer if count >= NEARLY_ALL * len(pieces_of(answers)) else None
