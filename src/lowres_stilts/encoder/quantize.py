"""What bitsandbytes' quantization needs beside its own configuration."""

from typing import Any

import bitsandbytes as bnb
import torch
from torch import nn
from transformers import PreTrainedModel

ROWS_AT_ONCE = 8192


class WordEmbedding8bit(bnb.nn.Embedding8bit):  # type: ignore[misc]
    """bitsandbytes' int8 embedding with a `state_dict`, for which PEFT asks when it loads a module."""

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        nn.Module._save_to_state_dict(self, destination, prefix, keep_vars)  # noqa: SLF001 - the inherited hook


def quantize_word_embeddings(model: PreTrainedModel, device: torch.device) -> None:
    """Puts bitsandbytes' int8 embedding, row-wise absmax, in the place of the word embeddings.

    Source: LLM.int8() (Dettmers et al. 2022, arXiv:2208.07339, section 2.1), row-wise.
    """
    dense = model.get_input_embeddings().weight.detach()
    rows, width = dense.shape
    with torch.device("meta"):
        packed = WordEmbedding8bit(rows, width, dtype=dense.dtype)
    values = torch.empty(rows, width, dtype=torch.int8, device=device)
    scales = torch.empty(rows, dtype=torch.float32, device=device)
    # A piece at a time: bitsandbytes' float copies of the whole matrix would be the peak of the load's memory.
    for start in range(0, rows, ROWS_AT_ONCE):
        piece = slice(start, start + ROWS_AT_ONCE)
        quantized = bnb.functional.int8_vectorwise_quant(dense[piece].to(device, torch.float16))
        values[piece], scales[piece] = quantized[0], quantized[1]
    packed.weight = bnb.nn.Int8Params(values, requires_grad=False, has_fp16_weights=False, CB=values, SCB=scales)
    model.set_input_embeddings(packed)


def keep_weights_unpacked(model: PreTrainedModel) -> None:
    """Stops bitsandbytes from repacking 4-bit weights in place on CPUs with AVX512-bf16.

    It does so in the first forward pass without gradients; training fails after that (its issue 2078).
    """
    for module in model.modules():
        if isinstance(module, bnb.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False
