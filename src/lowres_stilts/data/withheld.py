"""Placeholders that XTREME's download script puts where the answers of test files were.

The script (`utils_preprocess.py` of XTREME, arXiv:2003.11080) keeps the format of each test file, so that what it
leaves reads like a labelled file: the answer to every question is an empty text at character 0, every label of
XCOPA is 0, every entity of Mewsli-X an empty id, and the English side of Tatoeba sorted. Columns and tags that it
drops need no telling apart.
"""

from collections.abc import Iterable, Sequence
from typing import Any

ENOUGH = 10
"""Rows from which on it is no accident that all labels are equal, or all lines in order."""


def is_placeholder_answer(answers: Any) -> bool:
    """Whether a question's answers, a list of `text` and `answer_start`, are one empty text at character 0."""
    match answers:
        case [{"text": "", "answer_start": 0}]:
            return True
    return False


def are_placeholder_labels(labels: Iterable[Any]) -> bool:
    """Whether all labels of a file are 0, and there are enough of them; a label that is not ends the reading."""
    count = 0
    for label in labels:
        if label not in (0, "0"):
            return False
        count += 1
    return count >= ENOUGH


def is_sorted(sentences: Sequence[str]) -> bool:
    """Whether sentences are in the order of their code points, and there are enough of them."""
    bare = [sentence.strip() for sentence in sentences]
    return len(bare) >= ENOUGH and bare == sorted(bare)


def answers_unknown(target: str, languages: Sequence[str], answers_at: str) -> str:
    """A line that says which languages of a task get no score, and where labelled test files are to be had."""
    where = f"; labelled test files: {answers_at}" if answers_at else ""
    return f"{target}: answers not known in {', '.join(languages)}, so no score there{where}"
