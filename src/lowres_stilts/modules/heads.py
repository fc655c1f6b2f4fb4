"""Heads: from hidden states to scores. They stay in float32; they are small and decide."""

from typing import Literal

import torch
from torch import Tensor, nn

HeadLayout = Literal["library", "mean"]
DROPOUT = 0.1


class SequenceHead(nn.Module):
    """Scores of a whole sequence, `[batch, outputs]`.

    `library` is what the Auto class of XLM-R and BERT computes: dense, tanh and a projection of the first
    token. `mean` projects the mean over tokens.
    """

    def __init__(self, hidden: int, outputs: int, layout: HeadLayout) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden, hidden) if layout == "library" else None
        self.dropout = nn.Dropout(DROPOUT)
        self.projection = nn.Linear(hidden, outputs)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Scores from hidden states `[batch, length, hidden]` and a mask `[batch, length]`."""
        if self.dense is None:
            return self._project(mean_pool(states, mask))
        first = self.dropout(states[:, 0].float())
        return self._project(torch.tanh(self.dense(first)))

    def _project(self, pooled: Tensor) -> Tensor:
        scores: Tensor = self.projection(self.dropout(pooled))
        return scores


class TokenHead(nn.Module):
    """Scores of every token, `[batch, length, outputs]`, as the Auto class computes them."""

    def __init__(self, hidden: int, outputs: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(DROPOUT)
        self.projection = nn.Linear(hidden, outputs)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Scores from hidden states `[batch, length, hidden]`; the mask is not needed."""
        del mask
        scores: Tensor = self.projection(self.dropout(states.float()))
        return scores


def mean_pool(states: Tensor, mask: Tensor) -> Tensor:
    """Mean over the tokens that the mask keeps, in float32: `[batch, hidden]`."""
    weights = mask.unsqueeze(-1).float()
    return (states.float() * weights).sum(1) / weights.sum(1).clamp(min=1)
