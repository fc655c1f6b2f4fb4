"""Heads: from hidden states to scores. They stay in float32; they are small and decide."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

HeadLayout = Literal["library", "mean"]
Invert = Callable[[Tensor], Tensor]
"""Takes vectors back through a language adapter's coupling."""
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


class VocabularyHead(nn.Module):
    """Scores of the vocabulary for single tokens, `[tokens, vocabulary]`: XLM-R's head, tied to the embeddings.

    The embeddings stay frozen, quantized and outside of this module's weights.
    """

    def __init__(self, hidden: int, embeddings: nn.Module, eps: float, invert: Invert | None = None) -> None:
        super().__init__()
        self._invert = invert
        self.dense = nn.Linear(hidden, hidden)
        self.norm = nn.LayerNorm(hidden, eps=eps)
        self.bias = nn.Parameter(torch.zeros(len(embeddings.weight)))  # type: ignore[arg-type]
        self._tied = (embeddings,)  # in a tuple, so that its weights are not this module's

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Scores from hidden states `[tokens, hidden]`; the mask is not needed."""
        del mask
        vectors = self.norm(nn.functional.gelu(self.dense(states.float())))
        (embeddings,) = self._tied
        vectors = vectors.to(states.dtype)
        if self._invert is not None:
            vectors = self._invert(vectors)
        weight = embeddings.weight
        scale = getattr(weight, "SCB", None)
        scores = vectors @ weight.data.to(states.dtype).T
        # bitsandbytes' int8 rows are in units of their scale / 127.
        scaled: Tensor = scores if scale is None else scores * (scale / 127)
        return scaled.float() + self.bias


Head = SequenceHead | TokenHead | VocabularyHead


def mean_pool(states: Tensor, mask: Tensor) -> Tensor:
    """Mean over the tokens that the mask keeps, in float32: `[batch, hidden]`."""
    weights = mask.unsqueeze(-1).float()
    return (states.float() * weights).sum(1) / weights.sum(1).clamp(min=1)
