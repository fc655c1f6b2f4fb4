"""A smaller vocabulary for a few languages: tokenizer and embeddings cut together.

Text whose pieces are all kept is split and embedded as before; other text falls back on shorter pieces, down to
single characters.
"""

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import nn

from lowres_stilts.encoder.load import Encoder
from lowres_stilts.errors import ExportError

SPACE = "▁"
LONGEST_SIGN = 3
"""Characters of a sign, such as an ellipsis or a year's last digits, that every language may need."""


@dataclass(frozen=True)
class Vocabulary:
    """Which pieces stay."""

    kept: NDArray[np.int64]
    """Old ids in their order; a piece's new id is its place here."""
    coverage: dict[str, float]
    """By language: the share of the pieces of its words, by frequency, that stay."""


def choose_pieces(tokenizer: Tokenizer, words: Mapping[str, Mapping[str, float]], size: int) -> Vocabulary:
    """The pieces that most words of every language need.

    A piece counts by its share among the pieces of the language that needs it most, so that a large language
    does not crowd out a small one. Special tokens, the characters that the words are written with, and the piece
    with the lowest score stay.

    Args:
        tokenizer: a Unigram tokenizer.
        words: frequencies of words, by language.
        size: how many pieces stay, at most.

    Raises:
        ExportError: the tokenizer is of another kind or has tokens beside its pieces, or the size is too small.
    """
    pieces = _pieces(tokenizer)
    ids = {piece: number for number, (piece, _) in enumerate(pieces)}
    encoded = {language: _encoded(tokenizer, counts) for language, counts in words.items()}
    weights = np.zeros(len(pieces))
    for counts in encoded.values():
        own = np.zeros(len(pieces))
        for sequence, count in counts.items():
            for number in sequence:
                own[number] += count
        weights = np.maximum(weights, own / max(own.sum(), 1e-12))
    always = _special(tokenizer, pieces) | _characters(words, ids)
    if len(always) > size:
        raise ExportError(
            f"--vocabulary: {size} is too small; raise it: special tokens and characters alone are {len(always)}"
        )
    ranked = [int(number) for number in np.argsort(-weights, kind="stable") if weights[number] > 0]
    chosen = [number for number in ranked if number not in always][: size - len(always)]
    kept = np.array(sorted({*always, *chosen}))
    return Vocabulary(
        kept, {language: _covered(counts, set(kept.tolist())) for language, counts in encoded.items()}
    )


def trim_tokenizer(tokenizer: Tokenizer, kept: NDArray[np.int64]) -> Tokenizer:
    """The same tokenizer with these pieces only."""
    definition = json.loads(tokenizer.to_str())
    pieces = definition["model"]["vocab"]
    new = {int(old): number for number, old in enumerate(kept)}
    definition["model"]["vocab"] = [pieces[old] for old in kept]
    definition["model"]["unk_id"] = new[definition["model"]["unk_id"]]
    for token in definition["added_tokens"]:
        token["id"] = new[token["id"]]
    processor = definition.get("post_processor") or {}
    _renumber(processor, new)
    return Tokenizer.from_str(json.dumps(definition, ensure_ascii=False))


def trim_encoder(encoder: Encoder, vocabulary: Vocabulary) -> Encoder:
    """A float32 encoder whose tokenizer and word embeddings have these pieces only.

    Raises:
        ExportError: the padding token would have another id, and XLM-R counts positions from it on.
    """
    model = copy.deepcopy(encoder.model)
    weight = model.get_input_embeddings().weight.detach()[torch.from_numpy(vocabulary.kept)]
    pad_id = int(np.flatnonzero(vocabulary.kept == encoder.pad_id)[0])
    if pad_id != encoder.pad_id:
        raise ExportError(f"--languages: the padding token would move from {encoder.pad_id} to {pad_id}")
    rows, width = weight.shape
    model.set_input_embeddings(nn.Embedding(rows, width, pad_id, _weight=weight.clone()))
    return replace(encoder, model=model, tokenizer=trim_tokenizer(encoder.tokenizer, vocabulary.kept))


def _pieces(tokenizer: Tokenizer) -> list[tuple[str, float]]:
    model = json.loads(tokenizer.to_str())["model"]
    if model["type"] != "Unigram":
        raise ExportError(
            f"--languages: only Unigram vocabularies can be trimmed, and this one is {model['type']}"
        )
    return [(piece, score) for piece, score in model["vocab"]]


def _encoded(tokenizer: Tokenizer, counts: Mapping[str, float]) -> dict[tuple[int, ...], float]:
    """How often each sequence of pieces occurs as a word."""
    tokenizer.no_padding()
    tokenizer.no_truncation()
    found: dict[tuple[int, ...], float] = {}
    words = list(counts)
    encodings = tokenizer.encode_batch(words, add_special_tokens=False)
    for word, encoding in zip(words, encodings, strict=True):
        key = tuple(encoding.ids)
        found[key] = found.get(key, 0.0) + counts[word]
    return found


def _special(tokenizer: Tokenizer, pieces: Sequence[tuple[str, float]]) -> set[int]:
    """Special tokens, pieces of digits and signs alone, which all languages share, and the least likely piece."""
    special = {*tokenizer.get_added_tokens_decoder()}
    if outside := [token for token in special if token >= len(pieces)]:
        token = tokenizer.id_to_token(outside[0])
        raise ExportError(f"--languages: token {token!r} is none of the tokenizer's pieces; it cannot be trimmed")
    # An unknown character costs ten more than the piece with the lowest score (in tokenizers as in SentencePiece).
    lowest = min(range(len(pieces)), key=lambda number: pieces[number][1])
    signs = {
        number
        for number, (piece, _) in enumerate(pieces)
        if len(piece) <= LONGEST_SIGN and not any(character.isalpha() for character in piece)
    }
    return special | signs | {lowest}


def _characters(words: Mapping[str, Mapping[str, float]], ids: Mapping[str, int]) -> set[int]:
    """Single characters of the words, as pieces of their own and after a space."""
    characters = {character for counts in words.values() for word in counts for character in word}
    spellings = {spelling for character in characters for spelling in (character, SPACE + character)}
    return {ids[spelling] for spelling in spellings if spelling in ids}


def _covered(counts: Mapping[tuple[int, ...], float], kept: set[int]) -> float:
    total = sum(len(sequence) * count for sequence, count in counts.items())
    stays = sum(sum(number in kept for number in sequence) * count for sequence, count in counts.items())
    return round(stays / total, 4) if total else 0.0


def _renumber(part: Any, new: Mapping[int, int]) -> None:
    """Gives special tokens in a tokenizer's template their new ids."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "ids":
                part[key] = [new[number] for number in value]
            else:
                _renumber(value, new)
    elif isinstance(part, list):
        for item in part:
            _renumber(item, new)
