"""The n best answers to every question, as `run_squad` of transformers writes them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowres_stilts.data.examples import Question
from lowres_stilts.storage import write_text
from lowres_stilts.tasks.features import Features
from lowres_stilts.tasks.qa import NULL_METRIC, QuestionAnswering
from lowres_stilts.tasks.task import Task

QA = QuestionAnswering()


class NBest:
    """Collects answers while a network predicts."""

    def __init__(self, task: Task, examples: Sequence[Question], features: Features, n: int) -> None:
        self._task, self._examples, self._features, self._n = task, examples, features, n
        self._found: dict[str, list[dict[str, Any]]] = {}

    def keep(self, index: int, scores: NDArray[np.float32]) -> None:
        """Takes the scores of the windows of an example, `[windows, length, 2]`."""
        example = self._examples[index]
        spans, null = QA.spans(example, self._features, index, scores)
        answers = [(example.context[span.start : span.end], span.start, span.score) for span in spans[: self._n]]
        if self._task.metric == NULL_METRIC:
            answers = sorted([*answers, ("", -1, null)], key=lambda answer: -answer[2])[: self._n]
        logits = np.array([score for _, _, score in answers])
        shares = np.exp(logits - logits.max(initial=-np.inf)) if len(logits) else logits
        self._found[example.id] = [
            {"text": text, "start": start, "score": round(score, 5), "probability": round(float(share), 6)}
            for (text, start, score), share in zip(answers, shares / max(shares.sum(), 1e-30), strict=True)
        ]

    def write(self, path: Path) -> None:
        """`{question: [{text, start, score, probability}, ...]}`, best first; the probabilities are over these n.

        Raises:
            RunError: it cannot be written.
        """
        order = {example.id: self._found[example.id] for example in self._examples}
        write_text(path, json.dumps(order, ensure_ascii=False, indent=1) + "\n")
