"""No padding in the layers: all tokens of a batch lie in one row, and only attention keeps sentences apart.

Everything in a layer but attention sees one token at a time, so padding there is work for nothing. On CUDA,
attention takes the row as it is, by torch's kernel for sequences of various lengths; elsewhere it alone is padded.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import PreTrainedModel

try:
    from torch.nn.attention.varlen import varlen_attn
except ImportError:  # of torch before 2.10
    varlen_attn = None  # type: ignore[assignment]

TENSOR_CORES = (8, 0)
"""The first cards that the kernel runs on."""


@dataclass(frozen=True)
class Layout:
    """Where the tokens of a padded batch `[sequences, length]` are in the row."""

    mask: Tensor
    """Whether there is a token, `[sequences, length]`."""
    places: Tensor
    """Of each token of the row in the flattened batch, `[tokens]`."""
    starts: Tensor
    """Of each sequence in the row, and the end of the last one, `[sequences + 1]`."""

    def pack(self, padded: Tensor) -> Tensor:
        """`[sequences, length, ...]` as `[tokens, ...]`."""
        return padded.flatten(0, 1)[self.places]

    def unpack(self, row: Tensor) -> Tensor:
        """`[tokens, ...]` as `[sequences, length, ...]`, with zeros for padding."""
        padded = row.new_zeros(self.mask.numel(), *row.shape[1:]).index_copy(0, self.places, row)
        return padded.view(*self.mask.shape, *row.shape[1:])


@dataclass(frozen=True)
class Foreseen:
    """What the host knows of the next batch, so that the device need not be asked."""

    shape: tuple[int, ...]
    """Of its mask."""
    layout: Layout | None
    """None where it is computed as it is, without packing."""


def layout_of(mask: Tensor) -> Layout:
    """The layout of a batch.

    Args:
        mask: whether there is a token, `[sequences, length]`.
    """
    starts = torch.nn.functional.pad(mask.sum(1).cumsum(0, dtype=torch.int32), (1, 0))
    return Layout(mask, mask.flatten().nonzero()[:, 0], starts)


def foresee(model: PreTrainedModel, foreseen: Foreseen | None) -> None:
    """Tells an encoder about the batch that it will be called with next, once."""
    if hasattr(model.encoder, "foreseen"):
        model.encoder.foreseen = foreseen


def wants_rows(device: torch.device, dtype: torch.dtype, *, padded: bool) -> bool:
    """Whether a batch is computed in one row: where it has padding, or attention takes rows as they are."""
    return padded or _has_kernel(device, dtype)


def pack_sequences(model: PreTrainedModel) -> None:
    """Has an encoder leave out padding, from its first layer to its last; hidden states at padding become zeros.

    Its callers see no difference: they give padded ids and a mask, and get padded hidden states.
    """
    if getattr(model.config, "position_embedding_type", "absolute") != "absolute":
        return
    encoder = model.encoder
    for layer in encoder.layer:
        own = layer.attention.self
        own.layout = None
        own.forward = partial(_attend, own)
    encoder.foreseen = None
    encoder.forward = partial(_encode, encoder)


def _encode(encoder: Any, states: Tensor, attention_mask: Tensor | None = None, **others: Any) -> Any:
    """In the place of the layers' `forward`; the mask `[sequences, 1, any, length]` is 0 at tokens."""
    wants_more = others.get("output_hidden_states") or others.get("output_attentions")
    foreseen, encoder.foreseen = encoder.foreseen, None
    layout = None
    if foreseen is not None and foreseen.shape == states.shape[:2] and not wants_more:
        layout = foreseen.layout
    elif attention_mask is not None and not wants_more:
        mask = attention_mask[:, 0, 0] == 0
        layout = None if bool(mask.all()) else layout_of(mask)
    # It stays there until the next batch, since checkpointed layers run again in the backward pass.
    for layer in encoder.layer:
        layer.attention.self.layout = layout
    if layout is None:
        return type(encoder).forward(encoder, states, attention_mask=attention_mask, **others)
    found = type(encoder).forward(encoder, layout.pack(states)[None], attention_mask=attention_mask, **others)
    found.last_hidden_state = layout.unpack(found.last_hidden_state[0])
    return found


def _attend(attention: Any, states: Tensor, *others: Any, **named: Any) -> Any:
    """In the place of self-attention's `forward`; its class is looked up late, since `adapters` changes it."""
    layout: Layout | None = attention.layout
    if layout is None:
        return type(attention).forward(attention, states, *others, **named)
    width = attention.attention_head_size
    query, key, value = (
        part(states)[0].unflatten(-1, (-1, width)) for part in (attention.query, attention.key, attention.value)
    )
    return attend(query, key, value, layout).flatten(-2)[None], None


def attend(query: Tensor, key: Tensor, value: Tensor, layout: Layout) -> Tensor:
    """Attention of every token to those of its own sequence; all are `[tokens, heads, width]`."""
    if _has_kernel(query.device, query.dtype):
        longest = layout.mask.shape[1]
        found = varlen_attn(query, key, value, layout.starts, layout.starts, longest, longest)
        assert isinstance(found, Tensor)  # noqa: S101 nothing else was asked for
        return found
    query, key, value = (layout.unpack(part).transpose(1, 2) for part in (query, key, value))
    return layout.pack(_padded(query, key, value, layout.mask[:, None, None]).transpose(1, 2))


def _padded(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    if query.device.type != "cpu":
        return scaled_dot_product_attention(query, key, value, attn_mask=mask)
    # The backward pass of the function above is slow on CPUs.
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    return scores.masked_fill(~mask, float("-inf")).softmax(-1) @ value


def _has_kernel(device: torch.device, dtype: torch.dtype) -> bool:
    return (
        varlen_attn is not None
        and device.type == "cuda"
        and dtype in {torch.float16, torch.bfloat16}
        and torch.cuda.get_device_capability(device) >= TENSOR_CORES
    )
