"""The masked-language-model head: scores of 250,000 pieces, never all of them in memory at once."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from lowres_stilts.encoder.quantize import embedding_rows

Invert = Callable[[Tensor], Tensor]
"""Takes vectors back through a language adapter's coupling."""
Rows = Callable[[int, int], Tensor]
"""The embeddings of the pieces from one number to before another, `[pieces, hidden]`."""
PIECES_AT_ONCE = 16384


class VocabularyHead(nn.Module):
    """Scores of the vocabulary for single tokens: XLM-R's head, tied to the embeddings.

    The embeddings stay frozen, quantized and outside of this module's weights; they are dequantized, and pieces
    scored, some thousand at a time, in the backward pass anew.
    """

    def __init__(self, hidden: int, pieces: int, embeddings: nn.Module, eps: float, invert: Invert | None = None):
        super().__init__()
        self._invert = invert
        self.dense = nn.Linear(hidden, hidden)
        self.norm = nn.LayerNorm(hidden, eps=eps)
        self.bias = nn.Parameter(torch.zeros(pieces))
        self._tied = (embeddings,)  # in a tuple, so that its weights are not this module's

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """All scores, `[tokens, vocabulary]`, of hidden states `[tokens, hidden]`; the mask is not needed."""
        del mask
        vectors = self._vectors(states)
        return torch.cat([scores for _, _, scores in _scores(vectors, self.bias, self._rows)], dim=-1)

    def loss(self, states: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of hidden states `[tokens, hidden]` with their pieces `[tokens]`, summed."""
        loss: Tensor = _Loss.apply(  # type: ignore[no-untyped-call]
            self._vectors(states), self.bias, labels, self._rows
        )
        return loss

    def best(self, states: Tensor) -> Tensor:
        """The piece with the highest score of each token, `[tokens]`."""
        vectors = self._vectors(states)
        top = torch.full(vectors.shape[:1], float("-inf"), device=vectors.device)
        best = torch.zeros(vectors.shape[:1], dtype=torch.long, device=vectors.device)
        for start, _, scores in _scores(vectors, self.bias, self._rows):
            highest, place = scores.max(-1)
            best = torch.where(highest > top, place + start, best)
            top = torch.maximum(highest, top)
        return best

    def _rows(self, start: int, end: int) -> Tensor:
        return embedding_rows(self._tied[0], start, end)

    def _vectors(self, states: Tensor) -> Tensor:
        vectors = self.norm(nn.functional.gelu(self.dense(states.float()))).to(states.dtype)
        return vectors if self._invert is None else self._invert(vectors)


def _scores(vectors: Tensor, bias: Tensor, rows: Rows) -> Iterator[tuple[int, Tensor, Tensor]]:
    """The first of some pieces, their embeddings, and their scores `[tokens, pieces]` in float32."""
    for start in range(0, len(bias), PIECES_AT_ONCE):
        end = min(start + PIECES_AT_ONCE, len(bias))
        weight = rows(start, end).to(vectors.dtype)
        yield start, weight, (vectors @ weight.T).float() + bias[start:end]


class _Loss(torch.autograd.Function):
    """Cross-entropy over pieces that come some at a time.

    The logarithm of the sum is gathered on the way (Milakov and Gimelshein 2018, arXiv:1805.02867, section 3);
    the backward pass computes the scores again.
    """

    @staticmethod
    def forward(ctx: Any, vectors: Tensor, bias: Tensor, labels: Tensor, rows: Rows) -> Tensor:
        total = torch.full(labels.shape, float("-inf"), device=vectors.device)
        own = torch.zeros_like(total)
        for start, _, scores in _scores(vectors, bias, rows):
            total = torch.logaddexp(total, scores.logsumexp(-1))
            inside, place = _place(labels, start, scores)
            own += torch.where(inside, scores.gather(1, place)[:, 0], 0.0)
        ctx.save_for_backward(vectors, bias, labels, total)
        ctx.rows = rows
        return (total - own).sum()

    @staticmethod
    def backward(ctx: Any, *outer: Any) -> tuple[Tensor, Tensor, None, None]:
        vectors, bias, labels, total = ctx.saved_tensors
        to_vectors, to_bias = torch.zeros_like(vectors, dtype=torch.float32), torch.empty_like(bias)
        for start, weight, scores in _scores(vectors, bias, ctx.rows):
            shares = scores.sub_(total[:, None]).exp_()
            inside, place = _place(labels, start, shares)
            shares.scatter_add_(1, place, -inside.float()[:, None])
            shares *= outer[0]
            to_vectors += shares.to(weight.dtype) @ weight
            to_bias[start : start + len(weight)] = shares.sum(0)
        return to_vectors.to(vectors.dtype), to_bias, None, None


def _place(labels: Tensor, start: int, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Which tokens have their piece among these, and its column, `[tokens, 1]`; 0 where it is not."""
    places = labels - start
    inside = (places >= 0) & (places < scores.shape[1])
    return inside, torch.where(inside, places, 0)[:, None]
