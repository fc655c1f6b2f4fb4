"""How finely a tokenizer cuts a language: what a model can hardly read shows there first."""

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from lowres_stilts.text.slices import read_whole

UNKNOWN = ("<unk>", "[UNK]")
SPACE = "▁"
"""What SentencePiece puts before a word; alone, it is no part of the word."""
LEAST_LETTERS = 2
"""A word of one character cannot be cut, whatever the tokenizer: PAN-X has Chinese so."""


@dataclass(frozen=True)
class Pieces:
    """Of words of two and more characters."""

    per_character: float
    """1 where every character is a piece of its own, more where characters are cut into bytes."""
    unknown: float
    """Share of the characters that no piece of the vocabulary spells."""


def pieces_of(tokenizer: Tokenizer, sentences: Sequence[Sequence[str]]) -> Pieces | None:
    """How a tokenizer cuts the words of some sentences; None where there are none that it could cut.

    Args:
        tokenizer: the encoder's.
        sentences: words each; of a language without spaces, stretches of text.
    """
    read_whole(tokenizer)
    words = [[word for word in sentence if len(word) >= LEAST_LETTERS] for sentence in sentences]
    characters = sum(len(word) for sentence in words for word in sentence)
    if not characters:
        return None
    unknown_ids = {tokenizer.token_to_id(name) for name in UNKNOWN}
    pieces = unknown = 0
    for encoding in tokenizer.encode_batch(words, is_pretokenized=True, add_special_tokens=False):
        for number, token, (start, end) in zip(encoding.ids, encoding.tokens, encoding.offsets, strict=True):
            pieces += token != SPACE
            unknown += end - start if number in unknown_ids else 0
    return Pieces(pieces / characters, unknown / characters)
