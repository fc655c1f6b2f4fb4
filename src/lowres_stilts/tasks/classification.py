"""Classification of a text or of a pair of texts."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lowres_stilts.data.examples import Defective, TextExample
from lowres_stilts.data.readers import Record
from lowres_stilts.tasks.features import UNLABELLED, Features, pack
from lowres_stilts.tasks.task import Task
from lowres_stilts.text.encode import encode_texts

UNDECIDED = ("-", "-1", -1)
"""What SNLI and its copies write where annotators did not agree."""


def parse_text(record: Record, task: Task) -> TextExample | Defective:
    """The task's one or two text fields and its label, which may be missing in test files."""
    return _example(record, task, task.fields, task.label_field)


NLI_SPELLINGS = (
    ("premise", "hypothesis", "label"),
    ("context", "hypothesis", "label"),
    ("sentence1", "sentence2", "gold_label"),
)
"""XNLI and the Hub; ANLI; SNLI and MultiNLI."""


def parse_nli(record: Record, task: Task) -> TextExample | Defective:
    """Premise, hypothesis and label by any of the names that releases of NLI data give them."""
    for premise, hypothesis, label in NLI_SPELLINGS:
        if premise in record.fields and hypothesis in record.fields:
            return _example(record, task, (premise, hypothesis), label)
    raise record.error("expected fields premise and hypothesis")


def _example(record: Record, task: Task, fields: Sequence[str], label_field: str) -> TextExample | Defective:
    """Its label is no label, but undecided, where it is spelled so and the task has no label of this spelling."""
    texts = [record.text(name, blank="blank text" in task.tolerates) for name in fields]
    value = record.fields.get(label_field)
    if value in UNDECIDED and "undecided label" in task.tolerates and str(value) not in task.labels:
        return Defective("undecided label")
    label = None if value is None else task.label(record, value)
    example = TextExample(texts[0], texts[1] if len(texts) == 2 else None, label)
    return example if all(map(str.strip, texts)) else Defective("blank text", example)


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
