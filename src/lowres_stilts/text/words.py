"""The words of a text that somebody typed, as tagging sees them, and where they are."""

import re
import unicodedata

SPACED = re.compile(r"\S+")
UNSPACED = re.compile(
    "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"  # Han, hiragana, katakana
    "|[\u0e01-\u0e3a\u0e40-\u0e4e]"  # Thai, vowels above and below apart, as in PAN-X
    "|[\u0e81-\u0eae\u0ebd-\u0ec6\u0edc-\u0edf][\u0eb0-\u0ebc\u0ec8-\u0ece]*"  # Lao, with its vowels and tones
    "|[\u1780-\u17b3\u17d7\u17dc](?:\u17d2[\u1780-\u17b3]|[\u17b4-\u17d1\u17dd])*"  # Khmer, with what stands below
    "|[\u0f00\u0f20-\u0f33\u0f40-\u0fbc]+"  # Tibetan, a syllable at a time
)


def words_in(text: str) -> list[tuple[int, int]]:
    """Start and end of each word.

    Words have white space between them; punctuation at their ends is a word of its own, and so is every character
    of Chinese, Japanese and Thai, as in PAN-X, on which adapters for names are trained. Burmese is split at spaces
    alone, as it is there. Lao and Khmer, which no tagged corpus of the catalogue has, are split into characters
    with their vowels and signs, and Tibetan into syllables. Universal Dependencies has whole words of Chinese,
    Japanese and Thai: for parts of speech, give words instead of a text. All this is so wherever it is installed.
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
