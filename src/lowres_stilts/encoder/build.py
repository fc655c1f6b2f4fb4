"""An encoder filled tensor by tensor: the unquantized model is never in memory as a whole."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import bitsandbytes as bnb
import torch
from torch import Tensor, nn
from transformers import AutoModel, BitsAndBytesConfig, PretrainedConfig, PreTrainedModel
from transformers.quantizers import AutoHfQuantizer

from lowres_stilts.encoder.device import release_freed_memory
from lowres_stilts.encoder.quantize import (
    NF4_BLOCK,
    OffloadedEmbedding,
    WordEmbedding4bit,
    WordEmbedding8bit,
    fill_linear4bit,
    int8_rows,
    nf4_rows,
)
from lowres_stilts.encoder.tensors import ELEMENTS_AT_ONCE, Source, pieces
from lowres_stilts.errors import EncoderError

Quantize = Literal["none", "int8", "nf4"]
Embeddings = Literal["none", "int8", "nf4"]
WORDS = "embeddings.word_embeddings.weight"
CPU = torch.device("cpu")
OLD_NAMES = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
"""How checkpoints that began in TensorFlow call them."""


def empty_model(
    config: PretrainedConfig, *, quantize: Quantize, dtype: torch.dtype, attention: str
) -> PreTrainedModel:
    """The encoder without head or pooler, its layers of the right classes, on the meta device."""
    with torch.device("meta"):
        model = AutoModel.from_config(config, dtype=dtype, attn_implementation=attention, add_pooling_layer=False)
        if quantize != "none":
            quantizer = AutoHfQuantizer.from_config(_quantization(quantize, dtype), pre_quantized=False)
            quantizer.preprocess_model(model, device_map=None, keep_in_fp32_modules=[])
            quantizer.postprocess_model(model)
    return model


def fill(
    model: PreTrainedModel,
    sources: Mapping[str, Source],
    *,
    embeddings: Embeddings,
    dtype: torch.dtype,
    device: torch.device,
    offload: bool = False,
) -> None:
    """Reads every weight of an empty encoder, a few rows at a time, and quantizes it as it comes.

    Args:
        model: what `empty_model` made.
        sources: the tensors of a checkpoint, which may have more than the encoder.
        embeddings: how the word embeddings are stored.
        dtype: of what is not quantized.
        device: where to.
        offload: keep the word embeddings on the CPU.

    Raises:
        EncoderError: the checkpoint lacks a weight, or one has another shape.
    """
    for name, module, own in _parameters(model):
        source = _source(sources, f"{model.base_model_prefix}.{name}", name, own)
        if (wanted := tuple(getattr(module, own).shape)) != tuple(source.shape):
            raise EncoderError(
                f"the checkpoint's weight {name} is {list(source.shape)}, and config.json says {list(wanted)}; "
                "download the model anew"
            )
        parts = (
            piece.to(dtype) for piece in pieces(source, sys.maxsize if device.type == "meta" else ELEMENTS_AT_ONCE)
        )
        if name == WORDS and (embeddings != "none" or offload):
            words = _words(parts, source.shape, embeddings, dtype, CPU if offload else device)
            model.set_input_embeddings(OffloadedEmbedding(words, device) if offload else words)
        elif own == "weight" and isinstance(module, bnb.nn.Linear4bit):
            fill_linear4bit(module, parts, dtype, device)
        elif own == "weight" and isinstance(module, bnb.nn.Linear8bitLt):
            module.weight = int8_rows(parts, source.shape, device)
        else:
            setattr(module, own, nn.Parameter(_whole(parts, source.shape, dtype, device), requires_grad=False))
        release_freed_memory()
    _fill_buffers(model, device)


@dataclass(frozen=True)
class _Weightless:
    """A tensor of a model that is only thought of."""

    shape: tuple[int, ...]

    def rows(self, start: int, end: int) -> Tensor:
        return torch.empty((end - start, *self.shape[1:]), device="meta")


def weightless_model(
    config: PretrainedConfig, *, quantize: Quantize, embeddings: Embeddings, dtype: torch.dtype, attention: str
) -> PreTrainedModel:
    """The encoder as `fill` would leave it, on the meta device: everything but the numbers."""
    shapes = empty_model(config, quantize="none", dtype=dtype, attention=attention)
    sources = {name: _Weightless(tuple(weight.shape)) for name, weight in shapes.named_parameters()}
    model = empty_model(config, quantize=quantize, dtype=dtype, attention=attention)
    fill(model, sources, embeddings=embeddings, dtype=dtype, device=torch.device("meta"))
    for module in model.modules():
        if isinstance(module, bnb.nn.Linear8bitLt):  # how many outliers there are only numbers could tell
            module.state.threshold = 0.0
    return model


def _parameters(model: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """The name of each parameter, the module it is in, and its name there."""
    for path, module in list(model.named_modules()):
        for own in [name for name, _ in module.named_parameters(recurse=False)]:
            yield f"{path}.{own}".lstrip("."), module, own


def _source(sources: Mapping[str, Source], long: str, short: str, own: str) -> Source:
    for name in (long, short):
        old = next((name.replace(new, old) for new, old in OLD_NAMES.items() if name.endswith(new)), name)
        if found := sources.get(name) or sources.get(old):
            return found
    raise EncoderError(f"the checkpoint has no weight {short}; name one of a whole encoder in model.id")


def _words(
    parts: Iterable[Tensor],
    shape: tuple[int, ...],
    embeddings: Embeddings,
    dtype: torch.dtype,
    device: torch.device,
) -> nn.Module:
    rows, width = shape
    if embeddings == "int8":
        with torch.device("meta"):
            words = WordEmbedding8bit(rows, width, dtype=dtype)
        words.weight = int8_rows(parts, shape, device)
        return words
    if embeddings == "none":
        return nn.Embedding(rows, width, _weight=_whole(parts, shape, dtype, device))
    if width % NF4_BLOCK:
        raise EncoderError(f"model.embeddings: nf4 wants a width divisible by {NF4_BLOCK}, not {width}; take int8")
    values, scales = nf4_rows(parts, shape, device)
    return WordEmbedding4bit(values.view(rows, -1), scales.view(rows, -1), dtype)


def _whole(parts: Iterable[Tensor], shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    weight = torch.empty(shape, dtype=dtype, device=device)
    start = 0
    for part in parts:
        weight[start : start + len(part)].copy_(part)
        start += len(part)
    return weight


def _fill_buffers(model: nn.Module, device: torch.device) -> None:
    """The positions and token types that the embeddings keep."""
    for name, buffer in list(model.named_buffers()):
        path, _, own = name.rpartition(".")
        if not buffer.is_meta:
            continue
        value = torch.zeros(buffer.shape, dtype=buffer.dtype, device=device)
        if own == "position_ids":
            value += torch.arange(buffer.shape[-1], device=device)
        model.get_submodule(path).register_buffer(own, value, persistent=False)


def _quantization(quantize: Quantize, dtype: torch.dtype) -> Any:
    if quantize == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
