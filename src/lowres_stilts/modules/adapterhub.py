"""What AdapterHub needs to work over this project's encoders."""

import logging
from collections.abc import Mapping
from typing import Any

import adapters
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel

from lowres_stilts.encoder.quantize import keep_weights_unpacked

# AdapterHub knows BERT and XLM-R; this is how its bottlenecks fit into XLM-R XL, where layer norms come first.
XL_INTERFACE = adapters.AdapterModelInterface(
    adapter_methods=["bottleneck", "invertible"],
    model_embeddings="embeddings",
    model_layers="encoder.layer",
    layer_self_attn="attention",
    layer_cross_attn=None,
    attn_q_proj="self.query",
    attn_k_proj="self.key",
    attn_v_proj="self.value",
    attn_o_proj="output.dense",
    layer_intermediate_proj="intermediate.dense",
    layer_output_proj="output.dense",
    layer_pre_self_attn="attention",
    layer_pre_ffn="LayerNorm",
)


def give_adapters(model: PreTrainedModel) -> None:
    """Makes an encoder one of AdapterHub's, in place, with the same outputs and all its weights frozen."""
    training = model.training
    adapters.init(model, interface=XL_INTERFACE if model.config.model_type == "xlm-roberta-xl" else None)
    # AdapterHub makes the linear layers anew: ready to be repacked, and in training mode, where int8 differs.
    keep_weights_unpacked(model)
    model.train(training)
    model.requires_grad_(requires_grad=False)


def can_be_named(name: str) -> bool:
    """Whether AdapterHub can keep a module of this name.

    It keeps modules in a ModuleDict, names of fused ones in a list with commas, and finds weights by the word
    "adapters" and the name.
    """
    return bool(name) and not any(part in name for part in (".", ",", "adapters")) and not hasattr(EMPTY, name)


def adapter_size(config: Mapping[str, Any], encoder: PretrainedConfig) -> int:
    """How many parameters a new adapter has: weights and biases, down and up."""
    hidden = int(encoder.hidden_size)
    narrow = hidden // int(config["reduction_factor"])
    size = _places(config, encoder) * _two_layers(hidden, narrow, hidden)
    if config["inv_adapter"]:
        first = hidden // 2
        second = hidden - first
        divisor = int(config["inv_adapter_reduction_factor"])
        size += _two_layers(second, second // divisor, first) + _two_layers(first, first // divisor, second)
    return size


def fusion_size(config: Mapping[str, Any], encoder: PretrainedConfig) -> int:
    """How many parameters the fusion of such adapters has: query and key, and value without bias."""
    hidden = int(encoder.hidden_size)
    return _places(config, encoder) * (3 * hidden * hidden + 2 * hidden)


def _places(config: Mapping[str, Any], encoder: PretrainedConfig) -> int:
    in_layer = int(config["mh_adapter"]) + int(config["output_adapter"])
    return in_layer * (int(encoder.num_hidden_layers) - len(config.get("leave_out") or ()))


def _two_layers(inputs: int, between: int, outputs: int) -> int:
    return inputs * between + between + between * outputs + outputs


def _is_worth_saying(record: logging.LogRecord) -> bool:
    return "none are activated" not in str(record.msg)


EMPTY = nn.ModuleDict()
# AdapterHub would warn in every forward pass of the bare encoder.
logging.getLogger("adapters.model_mixin").addFilter(_is_worth_saying)
