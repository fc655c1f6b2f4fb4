"""The families: how the examples of a task become features, and scores become predictions."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lowres_stilts.tasks import classification, multiple_choice, tagging
from lowres_stilts.tasks.features import Features
from lowres_stilts.tasks.task import FamilyName, Task


class Family(Protocol):
    """What training, evaluation and inference ask of a family whose tasks have a head.

    Examples and predictions have the family's own types.
    """

    per_token: bool
    """Whether the head scores every token, or every sequence as a whole."""

    def outputs(self, task: Task) -> int:
        """Width of the head."""

    def encode(self, task: Task, examples: Sequence[Any], tokenizer: Tokenizer, max_length: int) -> Features:
        """Features of the examples, in their order."""

    def decode(self, task: Task, features: Features, index: int, scores: NDArray[np.float32]) -> Any:
        """The prediction for example `index`.

        Args:
            task: its task.
            features: what `encode` made.
            index: which example.
            scores: `[sequences, outputs]` of the example, or `[sequences, length, outputs]` for tokens.
        """

    def gold(self, example: Any) -> Any:
        """The right answer in the form that `decode` predicts, where it is known."""


FAMILIES: Mapping[FamilyName, Family] = MappingProxyType(
    {
        "classification": classification.Classification(),
        "multiple_choice": multiple_choice.MultipleChoice(),
        "tagging": tagging.Tagging(),
    }
)
"""Families with a head. Retrieval has none: it compares embeddings."""
