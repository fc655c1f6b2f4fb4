"""The loss of a batch, summed over what is labelled."""

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from lowres_stilts.tasks.features import UNLABELLED
from lowres_stilts.tasks.task import FamilyName


def summed_loss(family: FamilyName, scores: Tensor, labels: Tensor, mask: Tensor, widths: NDArray[Any]) -> Tensor:
    """Cross-entropy, summed over labelled examples or tokens.

    Args:
        family: of the task; the head of hidden tokens has a loss of its own.
        scores: `[sequences, outputs]`; `[sequences, length, outputs]` for tags and answers.
        labels: `[examples]`; `[sequences, length]` for tags; `[sequences, 2]` for answers.
        mask: `[sequences, length]`, 1 where there is a token; an answer is never padding.
        widths: sequences of each example; choices of one prompt compete with each other.
    """
    if family == "multiple_choice":
        scores = _rows_of_choices(scores[:, 0], widths)
    elif family == "qa":
        # Positions compete: [sequences, 2, length].
        scores = scores.masked_fill(mask.unsqueeze(-1) == 0, float("-inf")).transpose(1, 2)
    return cross_entropy(
        scores.reshape(-1, scores.shape[-1]), labels.reshape(-1), ignore_index=UNLABELLED, reduction="sum"
    )


def _rows_of_choices(scores: Tensor, widths: NDArray[Any]) -> Tensor:
    """`[examples, most choices]`; a choice that an example does not have can never win."""
    return torch.nn.utils.rnn.pad_sequence(
        list(torch.split(scores, [int(width) for width in widths])), batch_first=True, padding_value=float("-inf")
    )
