"""The tokens of a text, with the part of it that each of them stands for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lowres_stilts.errors import TooLongError
from lowres_stilts.text.encode import Template
from lowres_stilts.text.slices import Steps, read_whole, slices, tokens_of_each

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


def tokens_in_steps(tokenizer: Tokenizer, text: str, most: int, *, special_tokens: bool) -> Steps[list[Token]]:
    """All tokens of a text, however many there are.

    Args:
        tokenizer: the encoder's fast tokenizer.
        text: without half surrogate pairs.
        most: characters that the text may have, and tokens.
        special_tokens: whether those at its start and end are among them.

    Raises:
        TooLongError: there are more; a text that becomes too long by normalization is not tokenized.
    """
    read_whole(tokenizer)
    characters = max(len(text), (yield from _normal_characters(tokenizer, text)))
    if characters > most:
        raise TooLongError(f"a text of {characters} characters, as the tokenizer reads it, is longer than {most}")
    (tokens,) = yield from tokens_of_each(tokenizer, [text])
    template = Template.of(tokenizer, is_pair=False)
    count = len(tokens.ids) + (template.size if special_tokens else 0)
    if count > most:
        raise TooLongError(f"a text of {count} tokens is longer than {most}")
    before = _bytes_before(text)
    found = [
        Token(number, text[start:stop], False, int(before[start]), int(before[stop]))
        for number, (start, stop) in zip(*tokens, strict=True)
    ]
    if not special_tokens:
        return found
    first, last = (
        [Token(number, tokenizer.id_to_token(number), True, None, None) for number in ids]
        for ids in (template.before, template.after)
    )
    return [*first, *found, *last]


def _normal_characters(tokenizer: Tokenizer, text: str) -> Steps[int]:
    """How many characters the normalizer makes of a text."""
    if tokenizer.normalizer is None:
        return len(text)
    characters = 0
    for start, end in slices(tokenizer, text):
        characters += len(tokenizer.normalizer.normalize_str(text[start:end]))
        yield
    return characters


def _bytes_before(text: str) -> NDArray[np.int64]:
    """How many bytes are before each character, and in all of them, `[characters + 1]`."""
    points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    sizes = 1 + sum((points >= bound).astype(np.int64) for bound in BOUNDS)
    return np.concatenate([[0], np.cumsum(sizes)])
