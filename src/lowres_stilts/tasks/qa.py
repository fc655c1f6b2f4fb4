"""Extractive question answering over sliding windows."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lowres_stilts.data.examples import Answer, Question
from lowres_stilts.data.readers import Record, is_text, shown
from lowres_stilts.data.withheld import is_placeholder_answer
from lowres_stilts.tasks.features import UNLABELLED, Features, pack
from lowres_stilts.tasks.task import Task
from lowres_stilts.text.spans import Span, best_spans, token_span
from lowres_stilts.text.windows import STRIDE, encode_contexts

NULL_METRIC = "squad_v2"
"""Tasks of this metric have questions without an answer."""


def parse_squad(record: Record, task: Task) -> Question:
    """SQuAD's `id`, `question`, `context` and `answers`, a list of `text` and `answer_start`.

    The Hub's copies have `answers` as two lists. An empty list means that there is no answer, which only
    `squad_v2` has; a test file without `answers`, or with the placeholders of XTREME's script, is unlabelled.
    """
    context = record.text("context")
    answers = record.fields.get("answers")
    if answers is None or (task.answers_at and is_placeholder_answer(_listed(record, answers))):
        return Question(_id(record), record.text("question"), context, None)
    found = tuple(_answer(record, context, item) for item in _listed(record, answers))
    if record.fields.get("is_impossible") is True:
        found = ()
    if not found and task.metric != NULL_METRIC:
        raise record.error("field 'answers' is empty, but every question of this task has an answer")
    return Question(_id(record), record.text("question"), context, found)


def _id(record: Record) -> str:
    value = record.fields.get("id")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return record.text("id")


def _listed(record: Record, answers: Any) -> list[dict[str, Any]]:
    match answers:
        case {"text": [*texts], "answer_start": [*starts]} if len(texts) == len(starts):
            return [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)]
        case list() if all(isinstance(item, dict) for item in answers):
            return list(answers)
    raise record.error(f"field 'answers' must be a list of answers, found {shown(answers)}")


def _answer(record: Record, context: str, item: dict[str, Any]) -> Answer:
    text, start = item.get("text"), item.get("answer_start")
    if not is_text(text) or not text.strip():
        raise record.error(f"an answer's 'text' must be a text, found {shown(text)}")
    if type(start) is not int or start < 0 or context[start : start + len(text)] != text:
        raise record.error(f"answer {shown(text)} does not stand at character {shown(start)} of the context")
    return Answer(text, start)


class QuestionAnswering:
    """One sequence per window; the head scores every token as the answer's first and last one."""

    head: Final = "token"

    def outputs(self, task: Task) -> int:
        """Start and end."""
        return 2

    def encode(self, task: Task, examples: Sequence[Question], tokenizer: Tokenizer, max_length: int) -> Features:
        """Windows over each context; a window that lacks the answer is labelled with its first token."""
        pairs = [(example.question, example.context) for example in examples]
        windows_of = encode_contexts(tokenizer, pairs, max_length, STRIDE)
        labels = [
            _label(example, window.offsets)
            for example, windows in zip(examples, windows_of, strict=True)
            for window in windows
        ]
        offsets = [pair for windows in windows_of for window in windows for pair in window.offsets]
        return pack([[window.ids for window in windows] for windows in windows_of], labels, offsets=offsets)

    def decode(
        self, task: Task, example: Question, features: Features, index: int, scores: NDArray[np.float32]
    ) -> str:
        """The best answer, characters of the context; empty where none is better."""
        spans, null = self.spans(example, features, index, scores)
        if not spans or (task.metric == NULL_METRIC and null > spans[0].score):
            return ""
        return example.context[spans[0].start : spans[0].end]

    def spans(
        self, example: Question, features: Features, index: int, scores: NDArray[np.float32]
    ) -> tuple[list[Span], float]:
        """The n best answers, best first, and the score of there being none."""
        windows = []
        for row, sequence in enumerate(range(features.examples[index], features.examples[index + 1])):
            start, end = features.sequences[sequence], features.sequences[sequence + 1]
            windows.append((features.offsets[start:end], scores[row, : end - start]))
        return best_spans(example.context, windows)

    def gold(self, example: Question) -> tuple[str, ...] | None:
        """The texts of the right answers; none where there is no answer."""
        return None if example.answers is None else tuple(answer.text for answer in example.answers)


def _label(example: Question, offsets: Sequence[tuple[int, int]]) -> tuple[int, int]:
    if example.answers is None:
        return UNLABELLED, UNLABELLED
    if not example.answers:
        return 0, 0
    # Training sets have one answer; of several, the first is taken.
    answer = example.answers[0]
    return token_span(offsets, answer.start, answer.start + len(answer.text))
