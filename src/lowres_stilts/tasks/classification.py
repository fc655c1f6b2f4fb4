"""Classification of a text or of a pair of texts."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lowres_stilts.data.examples import TextExample
from lowres_stilts.data.readers import read_jsonl, read_tsv
from lowres_stilts.tasks.features import UNLABELLED, Features, pack
from lowres_stilts.tasks.task import Task
from lowres_stilts.text.encode import encode_texts


def text_reader(
    text: str, label: str, *, pair: str | None = None
) -> Callable[[Path, Task], Iterator[TextExample]]:
    """A reader of TSV columns or JSON fields with these names; the label may be missing in test files."""
    columns = [text, label] if pair is None else [text, pair, label]

    def read(path: Path, task: Task) -> Iterator[TextExample]:
        records = read_jsonl(path) if path.suffix == ".jsonl" else read_tsv(path, columns, label)
        for record in records:
            value = record.fields.get(label)
            if value is not None and str(value) not in task.labels:
                raise record.error(f"label {value!r} is not one of {', '.join(task.labels)}")
            yield TextExample(
                record.text(text),
                None if pair is None else record.text(pair),
                None if value is None else str(value),
            )

    return read


class Classification:
    """One sequence per example; the head scores the task's labels."""

    per_token = False

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

    def decode(self, task: Task, features: Features, index: int, scores: NDArray[np.float32]) -> str:
        """The label with the highest score."""
        return task.labels[int(scores[0].argmax())]

    def gold(self, example: TextExample) -> str | None:
        """The label."""
        return example.label
