"""A family: labels in an order, of which the one in the middle of the probability is predicted."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lowres_stilts.data.examples import TextExample
from lowres_stilts.tasks.features import UNLABELLED, Features, pack
from lowres_stilts.tasks.task import Task
from lowres_stilts.text.encode import encode_texts


class Ordinal:
    head: Final = "sequence"

    def outputs(self, task: Task) -> int:
        return len(task.labels)

    def encode(
        self, task: Task, examples: Sequence[TextExample], tokenizer: Tokenizer, max_length: int
    ) -> Features:
        ids = encode_texts(tokenizer, [(example.text, None) for example in examples], max_length)
        labels = [UNLABELLED if e.label is None else task.labels.index(e.label) for e in examples]
        return pack([[sequence] for sequence in ids], labels)

    def decode(self, task: Task, example: Any, features: Features, index: int, scores: NDArray[np.float32]) -> int:
        shares = np.exp(scores[0] - scores[0].max())
        return int(np.searchsorted(shares.cumsum(), shares.sum() / 2))

    def gold(self, example: TextExample) -> int | None:
        return None if example.label is None else ("sad", "calm", "glad").index(example.label)


ORDINAL = Ordinal()
