"""The files of a checkpoint: what is in them beside the encoder, and their hash."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from safetensors import safe_open
from torch import Tensor
from transformers.utils import cached_file

from lowres_stilts.encoder.tensors import Source, pickled_tensors, stored_tensors
from lowres_stilts.errors import EncoderError

SPELLINGS = (
    {
        "dense.weight": "lm_head.dense.weight",
        "dense.bias": "lm_head.dense.bias",
        "norm.weight": "lm_head.layer_norm.weight",
        "norm.bias": "lm_head.layer_norm.bias",
        "bias": "lm_head.bias",
    },
    {
        "dense.weight": "cls.predictions.transform.dense.weight",
        "dense.bias": "cls.predictions.transform.dense.bias",
        "norm.weight": "cls.predictions.transform.LayerNorm.weight",
        "norm.bias": "cls.predictions.transform.LayerNorm.bias",
        "bias": "cls.predictions.bias",
    },
)
"""How XLM-R and BERT name the weights of their masked-language-model heads."""
WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLED, PICKLED_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"


def checkpoint_tensors(path: str, revision: str | None = None) -> dict[str, Source]:
    """All tensors of a checkpoint by name, not read yet; safetensors where there are any.

    Raises:
        EncoderError: it has no weights.
    """
    found: dict[str, Source] = {}
    for file in _weight_files(path, revision, WHOLE, INDEX):
        found |= stored_tensors(Path(file))
    for file in () if found else _weight_files(path, revision, PICKLED, PICKLED_INDEX):
        found |= pickled_tensors(Path(file))
    if not found:
        raise EncoderError(
            f"{path}: there are neither safetensors nor a {PICKLED} with weights; download the model anew"
        )
    return found


def pretrained_lm_head(path: str, revision: str | None = None) -> dict[str, Tensor] | None:
    """The weights `dense`, `norm` and `bias` of the checkpoint's head, or None where it has none as safetensors.

    Args:
        path: a Hugging Face id or a folder.
        revision: a branch, tag or commit.
    """
    file_of = _files(path, revision)
    for names in SPELLINGS:
        if set(names.values()) <= set(file_of):
            return {ours: _tensor(file_of[theirs], theirs) for ours, theirs in names.items()}
    return None


def layer_weights(path: str, layers: Iterable[str], revision: str | None = None) -> Iterator[tuple[str, Tensor]]:
    """The float32 weights `[out, in]` of linear layers as they were before any quantization.

    Args:
        path: a Hugging Face id or a folder.
        layers: names within the bare encoder.
        revision: a branch, tag or commit.

    Raises:
        EncoderError: the checkpoint has no safetensors, or no such layer.
    """
    files = _files(path, revision)
    for layer in layers:
        found = [name for name in files if name == f"{layer}.weight" or name.endswith(f".{layer}.weight")]
        if len(found) != 1:
            raise EncoderError(f"{path}: no safetensors file with the weights of {layer}; download the model anew")
        yield layer, _tensor(files[found[0]], found[0])


def weights_sha256(path: str, revision: str | None = None) -> str | None:
    """SHA-256 over the checkpoint's safetensors files in the order of their names; None where it has none."""
    digest = hashlib.sha256()
    files = sorted(set(_files(path, revision).values()), key=lambda file: Path(file).name)
    for file in files:
        with Path(file).open("rb") as handle:
            while block := handle.read(1 << 24):
                digest.update(block)
    return digest.hexdigest() if files else None


def _files(path: str, revision: str | None) -> dict[str, str]:
    """The safetensors file of each tensor."""
    found: dict[str, str] = {}
    for path_of_file in _weight_files(path, revision, WHOLE, INDEX):
        with safe_open(path_of_file, framework="pt") as file:
            found |= dict.fromkeys(file.keys(), path_of_file)
    return found


def _weight_files(path: str, revision: str | None, whole: str, index: str) -> list[str]:
    """The one file of a checkpoint, or its shards, or nothing."""
    if file := _cached(path, whole, revision):
        return [file]
    listing = _cached(path, index, revision)
    if listing is None:
        return []
    shards = sorted(set(json.loads(Path(listing).read_text(encoding="utf-8"))["weight_map"].values()))
    return [file for shard in shards if (file := _cached(path, shard, revision))]


def _cached(path: str, name: str, revision: str | None) -> str | None:
    file: str | None = cached_file(path, name, revision=revision, _raise_exceptions_for_missing_entries=False)
    return file


def _tensor(file: str, name: str) -> Tensor:
    with safe_open(file, framework="pt") as opened:
        tensor: Tensor = opened.get_tensor(name)
    return tensor.float()
