"""The tokens of a text, with the part of it that each of them stands for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lowres_stilts.errors import TooLongError
from lowres_stilts.text.literal import read_literally

BOUNDS = (0x80, 0x800, 0x10000)
"""Code points from which on a character has one byte more in UTF-8."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token with the keys that text-embeddings-inference gives it."""

    id: int
    text: str
    """The part of the text that it stands for; a special token's name."""
    special: bool
    start: int | None
    """Where its part starts, in bytes of the text's UTF-8; none for a special token."""
    stop: int | None


def tokens_of(tokenizer: Tokenizer, text: str, most: int, *, special_tokens: bool) -> list[Token]:
    """All tokens of a text, however many there are.

    Args:
        tokenizer: the encoder's fast tokenizer.
        text: without half surrogate pairs.
        most: characters that the text may have, and tokens.
        special_tokens: whether those at its start and end are among them.

    Raises:
        TooLongError: there are more; a text that becomes too long by normalization is not tokenized.
    """
    read_literally(tokenizer)
    normal = text if tokenizer.normalizer is None else tokenizer.normalizer.normalize_str(text)
    if max(len(text), len(normal)) > most:
        raise TooLongError(
            f"a text of {max(len(text), len(normal))} characters, as the tokenizer reads it, is longer than {most}"
        )
    tokenizer.no_padding()
    tokenizer.no_truncation()
    encoding = tokenizer.encode(text, add_special_tokens=special_tokens)
    if len(encoding.ids) > most:
        raise TooLongError(f"a text of {len(encoding.ids)} tokens is longer than {most}")
    before = _bytes_before(text)
    rows = zip(encoding.ids, encoding.tokens, encoding.special_tokens_mask, encoding.offsets, strict=True)
    return [
        Token(number, name, True, None, None)
        if special
        else Token(number, text[start:stop], False, int(before[start]), int(before[stop]))
        for number, name, special, (start, stop) in rows
    ]


def _bytes_before(text: str) -> NDArray[np.int64]:
    """How many bytes are before each character, and in all of them, `[characters + 1]`."""
    points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    sizes = 1 + sum((points >= bound).astype(np.int64) for bound in BOUNDS)
    return np.concatenate([[0], np.cumsum(sizes)])
