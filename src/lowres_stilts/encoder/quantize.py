"""What bitsandbytes' quantization needs beside its own configuration."""

from typing import Any

import bitsandbytes as bnb
import torch
from torch import nn
from transformers import PreTrainedModel


class WordEmbedding8bit(bnb.nn.Embedding8bit):  # type: ignore[misc]
    """bitsandbytes' int8 embedding with a `state_dict`, for which PEFT asks when it loads a module."""

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        nn.Module._save_to_state_dict(self, destination, prefix, keep_vars)  # noqa: SLF001 - the inherited hook


def quantize_word_embeddings(model: PreTrainedModel, device: torch.device) -> None:
    """Puts bitsandbytes' int8 embedding, row-wise absmax, in the place of the word embeddings.

    Source: LLM.int8() (Dettmers et al. 2022, arXiv:2208.07339, section 2.1), row-wise.
    """
    dense = model.get_input_embeddings()
    rows, width = dense.weight.shape
    with torch.device("meta"):
        packed = WordEmbedding8bit(rows, width, dtype=dense.weight.dtype)
    # bitsandbytes quantizes when the parameter moves to its device.
    values = bnb.nn.Int8Params(dense.weight.data.to("cpu"), requires_grad=False, has_fp16_weights=False)
    packed.weight = values.to(device)
    model.set_input_embeddings(packed)


def keep_weights_unpacked(model: PreTrainedModel) -> None:
    """Stops bitsandbytes from repacking 4-bit weights in place on CPUs with AVX512-bf16.

    It does so in the first forward pass without gradients; training fails after that (its issue 2078).
    """
    for module in model.modules():
        if isinstance(module, bnb.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False
