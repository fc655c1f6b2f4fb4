"""The families: how the examples of a task become features, and scores become predictions."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lowres_stilts.plugins import Registry
from lowres_stilts.tasks import classification, masked, multiple_choice, qa, tagging
from lowres_stilts.tasks.features import Features
from lowres_stilts.tasks.task import FamilyName, Task

HeadKind = Literal["sequence", "token", "vocabulary"]


class Family(Protocol):
    """What training, evaluation and inference ask of a family whose tasks have a head.

    Examples and predictions have the family's own types.
    """

    @property
    def head(self) -> HeadKind:
        """What the head scores: a sequence as a whole, every token, or every word for a masked token."""

    def outputs(self, task: Task) -> int:
        """Width of the head; 0 for the vocabulary."""

    def encode(self, task: Task, examples: Sequence[Any], tokenizer: Tokenizer, max_length: int) -> Features:
        """Features of the examples, in their order."""

    def gold(self, example: Any) -> Any:
        """The right answer in the form that `decode` predicts, where it is known."""


class Decoder(Family, Protocol):
    """A family whose scores become predictions: all but masked language modelling, which is only trained."""

    def decode(self, task: Task, example: Any, features: Features, index: int, scores: NDArray[np.float32]) -> Any:
        """The prediction for example `index`.

        Args:
            task: its task.
            example: the example itself.
            features: what `encode` made.
            index: which example.
            scores: `[sequences, outputs]` of the example, or `[sequences, length, outputs]` for tokens.
        """


_DECODERS: dict[FamilyName, Decoder] = {
    "classification": classification.Classification(),
    "multiple_choice": multiple_choice.MultipleChoice(),
    "tagging": tagging.Tagging(),
    "qa": qa.QuestionAnswering(),
}
DECODERS: Registry[Decoder] = Registry("families", _DECODERS)
FAMILIES: Registry[Family] = Registry("families", {**_DECODERS, "mlm": masked.MaskedLanguageModel()})
"""Families with a head. Retrieval has none: it compares embeddings. Those of plug-ins are decoders."""
