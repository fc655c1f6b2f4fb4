"""Texts that spell a control token of the tokenizer, such as `<s>` in HTML, read as ordinary characters."""

import re
from collections.abc import Sequence

from tokenizers import Tokenizer

STAND_IN = "‹"
"""For the first character of what reads like a control token: one for one, so that places in the text hold."""


class PlainText:
    """Makes texts plain for one tokenizer; others come back as they are."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        names = [token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special]
        found = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True) if name)
        self._control = re.compile(found or r"(?!)")

    def __call__(self, text: str) -> str:
        """The text with as many characters, and without control tokens."""
        return self._control.sub(lambda match: STAND_IN + match[0][1:], text)

    def pair(self, texts: tuple[str, str | None]) -> str | tuple[str, str]:
        """A text or a pair of texts, as tokenizers take them."""
        first, second = texts
        return self(first) if second is None else (self(first), self(second))

    def words(self, words: Sequence[str]) -> list[str]:
        """Each word."""
        return [self(word) for word in words]
