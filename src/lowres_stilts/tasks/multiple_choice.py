"""Multiple choice: any number of continuations of a prompt, uneven numbers too."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lowres_stilts.data.examples import ChoiceExample
from lowres_stilts.tasks.features import UNLABELLED, Features, pack
from lowres_stilts.tasks.task import Task
from lowres_stilts.text.encode import encode_texts


class MultipleChoice:
    """One sequence per choice; the head gives each a score, and the highest wins."""

    head: Final = "sequence"

    def outputs(self, task: Task) -> int:
        """A single score."""
        return 1

    def encode(
        self, task: Task, examples: Sequence[ChoiceExample], tokenizer: Tokenizer, max_length: int
    ) -> Features:
        """The prompt paired with each choice."""
        pairs = [(example.prompt, choice) for example in examples for choice in example.choices]
        ids = iter(encode_texts(tokenizer, pairs, max_length))
        labels = [UNLABELLED if example.label is None else example.label for example in examples]
        return pack([[next(ids) for _ in example.choices] for example in examples], labels)

    def decode(
        self, task: Task, example: ChoiceExample, features: Features, index: int, scores: NDArray[np.float32]
    ) -> int:
        """The index of the best choice."""
        return int(scores[:, 0].argmax())

    def gold(self, example: ChoiceExample) -> int | None:
        """The index of the right choice."""
        return example.label
