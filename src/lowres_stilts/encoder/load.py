"""Loads an encoder of the XLM-R family, frozen and quantized by bitsandbytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoConfig, AutoTokenizer, PretrainedConfig, PreTrainedModel
from transformers.tokenization_utils_fast import PreTrainedTokenizerFast

from lowres_stilts.encoder.build import Embeddings, Quantize, empty_model, fill
from lowres_stilts.encoder.checkpoint import checkpoint_tensors
from lowres_stilts.encoder.packing import pack_sequences
from lowres_stilts.encoder.quantize import keep_weights_unpacked, stored_bytes
from lowres_stilts.encoder.starter import BASE_ID, STARTER_ID, starter_model_dir
from lowres_stilts.encoder.tensors import Source
from lowres_stilts.encoder.truncate import first_layers, layers_of
from lowres_stilts.errors import EncoderError

Compute = Literal["float32", "bf16"]
DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16}
MODEL_TYPES = ("xlm-roberta", "xlm-roberta-xl", "bert")
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
"""A frozen encoder learns nothing from its own noise, and drawing it is half of a CPU step."""


@dataclass(frozen=True)
class Encoder:
    """A frozen encoder without head or pooler, and its tokenizer."""

    model: PreTrainedModel
    tokenizer: Tokenizer
    base_id: str
    """The Hub's name of the model; the starter is its rounding of `intfloat/multilingual-e5-small`."""
    pad_id: int
    device: torch.device
    dtype: torch.dtype
    """Of its hidden states."""
    path: str
    """Where it was loaded from: a Hugging Face id or a folder."""
    revision: str | None = None

    @property
    def hidden_size(self) -> int:
        """Width of the hidden states."""
        return int(self.model.config.hidden_size)


def load_encoder(
    model_id: str,
    *,
    revision: str | None = None,
    quantize: Quantize = "nf4",
    embeddings: Embeddings = "int8",
    offload_embeddings: bool = False,
    compute: Compute = "bf16",
    device: Literal["auto", "cpu", "cuda"] = "auto",
) -> Encoder:
    """Loads an encoder with all its weights frozen.

    Args:
        model_id: a Hugging Face id, a local folder, or `starter:multilingual-minilm`.
        revision: a branch, tag or commit of the Hub repository.
        quantize: how bitsandbytes stores the linear layers; `nf4` with double quantization as in QLoRA
            (Dettmers et al. 2023, arXiv:2305.14314, section 3).
        embeddings: how the word embeddings are stored.
        offload_embeddings: keep them on the CPU.
        compute: the type of activations and of all weights that are not quantized, whether the CPU has it or
            emulates it: recipes and packages ask `compute_on` first.
        device: `auto` takes CUDA where there is one.

    Raises:
        EncoderError: the model cannot be found or loaded, or is of another family.
    """
    place = device_of(device)
    path, dtype = local_path(model_id), DTYPES[compute]
    config = read_config(model_id, revision)
    backend = load_tokenizer(model_id, revision=revision)
    try:
        model = load_weights(
            path, config, revision, quantize, embeddings, dtype=dtype, device=place, offload=offload_embeddings
        )
    except (OSError, ValueError, KeyError) as error:
        raise EncoderError(_not_found(model_id, error)) from error
    base_id = BASE_ID if model_id == STARTER_ID else model_id
    return Encoder(model, backend, base_id, model.config.pad_token_id, place, dtype, path, revision)


def read_config(model_id: str, revision: str | None = None) -> PretrainedConfig:
    """The configuration of an encoder, without its weights.

    Raises:
        EncoderError: it cannot be found, or is of another family.
    """
    try:
        config = AutoConfig.from_pretrained(local_path(model_id), revision=revision)
    except (OSError, ValueError, KeyError) as error:
        raise EncoderError(_not_found(model_id, error)) from error
    if config.model_type not in MODEL_TYPES:
        raise EncoderError(
            f"model.id: {model_id} is a {config.model_type} model; this project takes {', '.join(MODEL_TYPES)}"
        )
    config.update(NO_DROPOUT)
    return config


def load_weights(
    path: str,
    config: PretrainedConfig,
    revision: str | None,
    quantize: Quantize,
    embeddings: Embeddings,
    *,
    dtype: torch.dtype,
    device: torch.device,
    offload: bool = False,
) -> PreTrainedModel:
    """The frozen encoder of a checkpoint without its tokenizer.

    Raises:
        EncoderError: the checkpoint lacks a weight of the encoder.
    """
    sources = checkpoint_tensors(path, revision)
    return frozen_model(config, sources, quantize, embeddings, dtype=dtype, device=device, offload=offload)


def frozen_model(
    config: PretrainedConfig,
    sources: Mapping[str, Source],
    quantize: Quantize,
    embeddings: Embeddings,
    *,
    dtype: torch.dtype,
    device: torch.device,
    offload: bool = False,
) -> PreTrainedModel:
    """The frozen encoder of some tensors; memory never holds much more than the quantized weights.

    Raises:
        EncoderError: a weight of the encoder is not among them.
    """
    model = empty_model(config, quantize=quantize, dtype=dtype, attention=attention_of(device))
    fill(model, sources, embeddings=embeddings, dtype=dtype, device=device, offload=offload)
    keep_weights_unpacked(model)
    pack_sequences(model)
    model.requires_grad_(requires_grad=False)
    return model.eval()


def compute_on(device: str, compute: Compute) -> Compute:
    """What a device computes in: a CPU that would emulate bf16, many times slower, takes float32 instead."""
    return "float32" if device == "cpu" and compute == "bf16" and not _cpu_has_bf16() else compute


@cache
def _cpu_has_bf16() -> bool:
    """Whether oneDNN multiplies bf16 here: on x86 from AVX-512 on."""
    here = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return here and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001


def attention_of(device: torch.device) -> str:
    """Masked SDPA's backward is slow on CPUs; eager attention is 1.3x faster there."""
    return "eager" if device.type == "cpu" else "sdpa"


def local_path(model_id: str) -> str:
    """A Hugging Face id or a folder; the starter's folder in the user's cache, or that of its first layers.

    Raises:
        EncoderError: the starter cannot be made, or a file is named.
    """
    if Path(model_id).is_file():
        raise EncoderError(f"model.id: {model_id} is a file; a folder is wanted")
    if model_id == STARTER_ID:
        return str(starter_model_dir())
    if (layers := layers_of(model_id)) is not None:
        return str(first_layers(starter_model_dir(), layers))
    return model_id


def load_tokenizer(model_id: str, *, revision: str | None = None) -> Tokenizer:
    """The fast tokenizer of an encoder, without its weights.

    Raises:
        EncoderError: it cannot be found, or is none of the fast ones.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(local_path(model_id), revision=revision)
    except (OSError, ValueError, KeyError) as error:
        raise EncoderError(_not_found(model_id, error)) from error
    except (AttributeError, TypeError) as error:  # transformers looks into files of a tokenizer that are not there
        raise _no_fast_tokenizer(model_id) from error
    except Exception as error:
        if type(error) is not Exception:
            raise
        raise EncoderError(_not_found(model_id, error)) from error  # tokenizers' own for a malformed file
    return _fast(model_id, tokenizer)


def _fast(model_id: str, tokenizer: object) -> Tokenizer:
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise _no_fast_tokenizer(model_id)
    return tokenizer.backend_tokenizer


def _no_fast_tokenizer(model_id: str) -> EncoderError:
    return EncoderError(f"model.id: {model_id} has no fast tokenizer; put a tokenizer.json beside it")


def device_of(name: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """The device that a recipe means.

    Raises:
        EncoderError: it wants CUDA, and there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise EncoderError("model.device: no CUDA device here; set model.device to cpu or auto")
    cuda = name == "cuda" or (name == "auto" and torch.cuda.is_available())
    return torch.device("cuda", torch.cuda.current_device()) if cuda else torch.device("cpu")


def _not_found(model_id: str, error: Exception) -> str:
    if model_id.startswith("starter:"):
        return (
            f"model.id: there is no starter model {model_id!r}; there are {STARTER_ID!r} and {STARTER_ID}-N-layers"
        )
    reason = " ".join(str(error).split()).partition(". ")[0]
    kind = "folder" if Path(model_id).is_dir() else "Hugging Face model"
    return f"model.id: the {kind} {model_id} cannot be loaded: {reason}"


def weights_bytes(model: nn.Module) -> int:
    """Bytes of all parameters and buffers as they are stored, quantization constants included."""
    return stored_bytes(model)
