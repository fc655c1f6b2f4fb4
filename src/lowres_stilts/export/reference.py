"""The frozen encoder in float32, with the values that its quantized weights stand for."""

from dataclasses import replace
from typing import Any

import bitsandbytes as bnb
import torch
from torch import Tensor, nn
from transformers import AutoModel

from lowres_stilts.encoder.load import NO_DROPOUT, Encoder
from lowres_stilts.export.layers import Shape
from lowres_stilts.export.products import Floats


def float_encoder(encoder: Encoder) -> Encoder:
    """An encoder without bitsandbytes that computes what the quantized one stands for.

    Args:
        encoder: loaded with float32 as its type of computation, and not used yet.
    """
    model = AutoModel.from_pretrained(
        encoder.path,
        revision=encoder.revision,
        add_pooling_layer=False,
        dtype=torch.float32,
        attn_implementation="eager",
        **NO_DROPOUT,
    )
    values = {
        f"{name}.weight": value
        for name, module in encoder.model.named_modules()
        if (value := _dequantized(module)) is not None
    }
    model.load_state_dict(values, strict=False)
    model.requires_grad_(requires_grad=False)
    return replace(encoder, model=model.eval(), device=torch.device("cpu"), dtype=torch.float32)


def shape_of(encoder: Encoder) -> Shape:
    """What a graph must know of an encoder."""
    config = encoder.model.config
    return Shape(
        config.model_type,
        config.num_hidden_layers,
        config.num_attention_heads,
        config.hidden_size,
        config.layer_norm_eps,
        encoder.pad_id,
    )


def weights_of(model: nn.Module) -> dict[str, Floats]:
    """The weights of a float32 encoder by name."""
    state = model.state_dict().items()
    return {name: tensor.detach().numpy() for name, tensor in state if tensor.is_floating_point()}


def _dequantized(module: nn.Module) -> Tensor | None:
    weight: Any = getattr(module, "weight", None)
    if isinstance(module, bnb.nn.Linear4bit):
        dense: Tensor = bnb.functional.dequantize_4bit(weight.data, weight.quant_state)
        return dense.float().cpu()
    if isinstance(weight, bnb.nn.Int8Params):
        rows: Tensor = bnb.functional.int8_vectorwise_dequant(weight.CB, weight.SCB)
        return rows.float().cpu()
    return None
