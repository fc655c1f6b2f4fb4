"""LoRA that begins by making up for the quantization of the encoder."""

from collections.abc import Mapping
from typing import Any

import torch
from bitsandbytes.functional import dequantize_4bit
from torch import Tensor, nn

from lowres_stilts.encoder.checkpoint import layer_weights
from lowres_stilts.encoder.load import Encoder
from lowres_stilts.errors import TrainingError

STEPS = 4
"""Power iterations of the randomized decomposition."""


def make_up_for_quantization(encoder: Encoder, layers: Mapping[str, Any], name: str) -> None:
    """Sets A and B to the best update of their rank from the NF4 weights to those of the checkpoint.

    It is the first of LoftQ's alternating steps (Li et al. 2023, arXiv:2310.08659, algorithm 1), the one that
    leaves the quantized weights as they are; PEFT's `replace_lora_weights_loftq` does the same on GPUs only.

    Args:
        encoder: quantized in NF4.
        layers: PEFT's layers by name within the encoder.
        name: of the LoRA in these layers.

    Raises:
        TrainingError: a layer is not quantized in NF4.
        EncoderError: the checkpoint lacks the weights.
    """
    for path, weight in layer_weights(encoder.path, layers, encoder.revision):
        layer = layers[path]
        a, b = layer.lora_A[name].weight, layer.lora_B[name].weight
        # On the CPU, whose random numbers are the same beside every device.
        error = weight.cpu() - _dequantized(layer.get_base_layer(), path).cpu()
        u, s, v = torch.svd_lowrank(error, q=min(2 * a.shape[0], *error.shape), niter=STEPS)
        root = s[: a.shape[0]].sqrt()
        with torch.no_grad():
            a.copy_(root[:, None] * v[:, : a.shape[0]].T)
            b.copy_(u[:, : a.shape[0]] * root / layer.scaling[name])


def _dequantized(layer: nn.Module, path: str) -> Tensor:
    state = getattr(layer.weight, "quant_state", None)
    if state is None:
        raise TrainingError(
            f"module.init: loftq makes up for NF4, but {path} is not quantized in it; set model.quantize: nf4"
        )
    weight: Tensor = dequantize_4bit(layer.weight.data, state)
    return weight.float()
