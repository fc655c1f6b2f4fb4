"""Classification of a text or of a pair of texts."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lowres_stilts.data.examples import TextExample
from lowres_stilts.data.readers import Record
from lowres_stilts.tasks.features import UNLABELLED, Features, pack
from lowres_stilts.tasks.task import Task
from lowres_stilts.text.encode import encode_texts

NO_LABEL = (None, "-")
"""SNLI writes `-` where its annotators did not agree."""


def parse_text(record: Record, task: Task) -> TextExample:
    """The task's one or two text fields and its label, which may be missing in test files."""
    texts = [record.text(name) for name in task.fields]
    value = record.fields.get(task.label_field)
    label = None if value in NO_LABEL else task.label(record, value)
    return TextExample(texts[0], texts[1] if len(texts) == 2 else None, label)


NLI_SPELLINGS = (
    ("premise", "hypothesis", "label"),
    ("context", "hypothesis", "label"),
    ("sentence1", "sentence2", "gold_label"),
)
"""XNLI and the Hub; ANLI; SNLI and MultiNLI."""


def parse_nli(record: Record, task: Task) -> TextExample:
    """Premise, hypothesis and label by any of the names that releases of NLI data give them."""
    for premise, hypothesis, label in NLI_SPELLINGS:
        if premise in record.fields and hypothesis in record.fields:
            value = record.fields.get(label)
            known = None if value in NO_LABEL else task.label(record, value)
            return TextExample(record.text(premise), record.text(hypothesis), known)
    raise record.error("expected fields premise and hypothesis")


class Classification:
    """One sequence per example; the head scores the task's labels."""

    head: Final = "sequence"

    def outputs(self, task: Task) -> int:
        """One per label."""
        return len(task.labels)

    def encode(
        self, task: Task, examples: Sequence[TextExample], tokenizer: Tokenizer, max_length: int
    ) -> Features:
        """One sequence per example."""
        number = {label: index for index, label in enumerate(task.labels)}
        ids = encode_texts(tokenizer, [(example.text, example.text_pair) for example in examples], max_length)
        labels = [UNLABELLED if e.label is None else number[e.label] for e in examples]
        return pack([[sequence] for sequence in ids], labels)

    def decode(
        self, task: Task, example: TextExample, features: Features, index: int, scores: NDArray[np.float32]
    ) -> str:
        """The label with the highest score."""
        return task.labels[int(scores[0].argmax())]

    def gold(self, example: TextExample) -> str | None:
        """The label."""
        return example.label
