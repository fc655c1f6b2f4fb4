"""The words of a text that somebody typed, as tagging sees them, and where they are."""

import re
import unicodedata

SPACED = re.compile(r"\S+")
UNSPACED = re.compile(
    "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"  # Han, hiragana, katakana
)


def words_in(text: str) -> list[tuple[int, int]]:
    """Start and end of each word.

    Words have white space between them; punctuation at their ends is a word of its own, and so is every character
    of Chinese and Japanese, as in the tagged corpora that adapters are trained on (PAN-X).
    """
    found: list[tuple[int, int]] = []
    for match in SPACED.finditer(text):
        start = match.start()
        for character in UNSPACED.finditer(text, match.start(), match.end()):
            found += _peeled(text, start, character.start())
            found.append(character.span())
            start = character.end()
        found += _peeled(text, start, match.end())
    return found


def _peeled(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """A word without the punctuation at its ends, and that punctuation character by character."""
    first, last = start, end
    while first < last and _is_punctuation(text[first]):
        first += 1
    while last > first and _is_punctuation(text[last - 1]):
        last -= 1
    before = [(place, place + 1) for place in range(start, first)]
    word = [(first, last)] if first < last else []
    return before + word + [(place, place + 1) for place in range(last, end)]


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character).startswith("P")
