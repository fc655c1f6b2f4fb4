"""Quantization of weights that arrive a few rows at a time, into bitsandbytes' own forms and to the same bits."""

from collections.abc import Iterable
from typing import Any

import bitsandbytes as bnb
import torch
from bitsandbytes.functional import QuantState, dequantize_4bit, get_4bit_type
from torch import Tensor, nn
from transformers import PreTrainedModel

NF4_BLOCK, ABSMAX_BLOCK = 64, 256
"""Values with one scale, and scales with one scale (Dettmers et al. 2023, arXiv:2305.14314, section 3)."""


class WordEmbedding8bit(bnb.nn.Embedding8bit):  # type: ignore[misc]
    """bitsandbytes' int8 embedding with a `state_dict`, for which PEFT asks when it loads a module."""

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        nn.Module._save_to_state_dict(self, destination, prefix, keep_vars)  # noqa: SLF001 - the inherited hook

    def rows(self, start: int, end: int) -> Tensor:
        """Vectors `[rows, width]` of neighbouring tokens."""
        scales = self.weight.SCB[start:end, None] / 127.0
        vectors: Tensor = (self.weight.data[start:end] * scales).to(self.dtype)
        return vectors


class WordEmbedding4bit(nn.Module):
    """NF4 embedding: half a byte a value and a float32 scale for each 64; rows are dequantized as they are used.

    bitsandbytes' own copies all scales in every forward pass.
    """

    def __init__(self, values: Tensor, scales: Tensor, dtype: torch.dtype) -> None:
        """Takes what `nf4_rows` made: `[rows, width / 2]` and `[rows, width / 64]`."""
        super().__init__()
        self.weight = nn.Parameter(values, requires_grad=False)
        self.register_buffer("scales", scales)
        self.register_buffer("code", get_4bit_type("nf4", device=values.device), persistent=False)
        self.dtype = dtype

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors `[..., width]` of token ids."""
        scales: Any = self.scales
        return self._vectors(self.weight[ids], scales[ids])

    def rows(self, start: int, end: int) -> Tensor:
        """Vectors `[rows, width]` of neighbouring tokens."""
        scales: Any = self.scales
        return self._vectors(self.weight[start:end], scales[start:end])

    def _vectors(self, values: Tensor, scales: Tensor) -> Tensor:
        shape = torch.Size((*values.shape[:-1], 2 * values.shape[-1]))
        state = QuantState(scales.reshape(-1), shape, self.code, NF4_BLOCK, quant_type="nf4", dtype=self.dtype)
        vectors: Tensor = dequantize_4bit(values.reshape(-1, 1), state)
        return vectors.view(shape)


class OffloadedEmbedding(nn.Module):
    """Word embeddings that stay in the CPU's memory; only the vectors that are asked for travel."""

    def __init__(self, words: nn.Module, device: torch.device) -> None:
        """Takes embeddings on the CPU, and the device of the rest of the encoder."""
        super().__init__()
        self.words = words
        self._device = device

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors `[..., width]` of token ids, on the ids' device."""
        vectors: Tensor = self.words(ids.cpu())
        return vectors.to(ids.device, non_blocking=True)

    def rows(self, start: int, end: int) -> Tensor:
        """Vectors `[rows, width]` of neighbouring tokens, on the encoder's device."""
        return embedding_rows(self.words, start, end).to(self._device, non_blocking=True)


def embedding_rows(words: Any, start: int, end: int) -> Tensor:
    """Vectors `[rows, width]` of neighbouring tokens, however the embeddings are stored."""
    vectors: Tensor = words.rows(start, end) if hasattr(words, "rows") else words.weight[start:end]
    return vectors


def int8_rows(pieces: Iterable[Tensor], shape: tuple[int, ...], device: torch.device) -> Any:
    """A weight `[rows, width]` in int8 with the largest value of each row as its scale.

    Source: LLM.int8() (Dettmers et al. 2022, arXiv:2208.07339, section 2.1), row-wise.
    """
    values = torch.empty(shape, dtype=torch.int8, device=device)
    scales = torch.empty(shape[0], dtype=torch.float32, device=device)
    start = 0
    for piece in pieces:
        place = slice(start, start := start + len(piece))
        quantized = bnb.functional.int8_vectorwise_quant(piece.to(device, torch.float16))
        values[place], scales[place] = quantized[0], quantized[1]
    return bnb.nn.Int8Params(values, requires_grad=False, has_fp16_weights=False, CB=values, SCB=scales)


def nf4_rows(pieces: Iterable[Tensor], shape: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """A weight `[rows, width]` in NF4, flat: two values to a byte, and a float32 scale for each 64 of them.

    The rows of each piece, its last excepted, must fill whole blocks.
    """
    count = shape[0] * shape[1]
    values = torch.empty((count + 1) // 2, dtype=torch.uint8, device=device)
    scales = torch.empty(-(-count // NF4_BLOCK), dtype=torch.float32, device=device)
    start = 0
    for piece in pieces:
        packed, absmax = torch.ops.bitsandbytes.quantize_4bit(piece.to(device), NF4_BLOCK, "nf4", torch.uint8)
        values[start // 2 :][: len(packed)] = packed[:, 0]
        scales[start // NF4_BLOCK :][: len(absmax)] = absmax
        start += piece.numel()
    return values, scales


def fill_linear4bit(layer: Any, pieces: Iterable[Tensor], dtype: torch.dtype, device: torch.device) -> None:
    """Puts a weight into bitsandbytes' `Linear4bit`, in NF4 with double quantization."""
    shape = (layer.out_features, layer.in_features)
    values, scales = nf4_rows(pieces, shape, device)
    offset = scales.mean()
    # Given, since bitsandbytes keeps its own on the first device that asked, the planner's without numbers too.
    code = bnb.functional.create_dynamic_map().to(device)
    quantized, outer = bnb.functional.quantize_blockwise(scales - offset, code=code, blocksize=ABSMAX_BLOCK)
    state = QuantState(
        quantized,
        torch.Size(shape),
        get_4bit_type("nf4", device=device),
        NF4_BLOCK,
        quant_type="nf4",
        dtype=dtype,
        offset=offset,
        state2=outer,
    )
    layer.weight = bnb.nn.Params4bit(
        values[:, None], quant_state=state, quant_type="nf4", bnb_quantized=True, module=layer
    )
    layer.quant_state = state


def keep_weights_unpacked(model: PreTrainedModel) -> None:
    """Stops bitsandbytes from repacking 4-bit weights in place on CPUs with AVX512-bf16.

    It does so in the first forward pass without gradients; training fails after that (its issue 2078).
    """
    for module in model.modules():
        if isinstance(module, bnb.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False


def stored_bytes(model: nn.Module) -> int:
    """Bytes of all parameters and buffers as they are stored, quantization constants included.

    The tables of codes, of which quantized layers share copies of some hundred values, are left out.
    """
    kept: dict[int, Tensor] = {}
    for tensor in [*model.parameters(), *model.buffers()]:
        parts = [tensor, getattr(tensor, "SCB", None), *_constants(getattr(tensor, "quant_state", None))]
        kept |= {id(part): part for part in parts if isinstance(part, Tensor)}
    return sum(part.nbytes for part in kept.values())


def _constants(state: Any) -> list[Tensor]:
    return [] if state is None else [state.absmax, *_constants(state.state2)]
