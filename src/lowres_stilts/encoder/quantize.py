"""What bitsandbytes' quantization needs beside its own configuration."""

import bitsandbytes as bnb
import torch
from torch import nn


def quantize_word_embeddings(model: nn.Module, device: torch.device) -> None:
    """Puts bitsandbytes' int8 embedding, row-wise absmax, in the place of the word embeddings.

    Source: LLM.int8() (Dettmers et al. 2022, arXiv:2208.07339, section 2.1), row-wise.
    """
    dense = model.get_input_embeddings()
    rows, width = dense.weight.shape
    with torch.device("meta"):
        packed = bnb.nn.Embedding8bit(rows, width, dtype=dense.weight.dtype)
    # bitsandbytes quantizes when the parameter moves to its device.
    values = bnb.nn.Int8Params(dense.weight.data.to("cpu"), requires_grad=False, has_fp16_weights=False)
    packed.weight = values.to(device)
    model.set_input_embeddings(packed)


def keep_weights_unpacked(model: nn.Module) -> None:
    """Stops bitsandbytes from repacking 4-bit weights in place on CPUs with AVX512-bf16.

    It does so in the first forward pass without gradients; training fails after that (its issue 2078).
    """
    for module in model.modules():
        if isinstance(module, bnb.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False
