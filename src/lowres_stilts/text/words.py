"""The words of a text that somebody typed, as tagging sees them, and where they are.

The rules are those that the tagged corpora follow most often (PAN-X and UD-POS of XTREME; docs/export.md has the
figures). Where the two differ, PAN-X decides: entities are what needs exact ends.
"""

import re
import unicodedata
from itertools import pairwise

SPACED = re.compile("[^\\s\u200b\ufeff]+")
"""White space, and what stands for it without being seen."""
PICTURE = (
    "[\u203c\u2049\u2190-\u21ff\u2300-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff]"
)
APART = re.compile(
    # Han with its iteration marks and zero, bopomofo, hiragana, katakana.
    "[\u3005-\u3007\u3021-\u3029\u3031-\u3035\u303b\u3040-\u30fa\u30fc-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U0001aff0-\U0001b16f\U00020000-\U0003ffff][\uff9e\uff9f]*"
    # Thai and Lao letters with the vowels and tones around them.
    "|[\u0e01-\u0e30\u0e32\u0e40-\u0e46][\u0e31\u0e33-\u0e3a\u0e47-\u0e4e]*"
    "|[\u0e81-\u0eb0\u0eb2\u0ebd\u0ec0-\u0ec6\u0edc-\u0edf][\u0eb1\u0eb3-\u0ebc\u0ec8-\u0ece]*"
    # Khmer letters with the letters beneath them (after a coeng), vowels and signs.
    "|[\u1780-\u17b3\u17d7\u17dc](?:\u17d2[\u1780-\u17b3]|[\u17b4-\u17d1\u17d3\u17dd])*"
    # Tibetan syllables, each with the tsheg that ends it.
    "|[\u0f00\u0f18-\u0f33\u0f35\u0f37\u0f39\u0f3e-\u0fbc]+[\u0f0b\u0f0c]?"
    # Markup: <s>, </b>, <br/>.
    "|</?[A-Za-z][\\w:.-]*/?>"
    # Flags, and pictures with what modifies them and joins them.
    "|[\U0001f1e6-\U0001f1ff]{1,2}"
    f"|{PICTURE}[\ufe0f\U0001f3fb-\U0001f3ff]*(?:\u200d{PICTURE}[\ufe0f\U0001f3fb-\U0001f3ff]*)*"
)
"""What is a word wherever it stands."""
APOSTROPHES = "'’"
POSSESSIVE = re.compile(f"(?<=[^\\W\\d_])[{APOSTROPHES}][sS]$")
CLITIC = re.compile(f"[{APOSTROPHES}](?:[^\\W\\d_]|ll|re|ve)", re.IGNORECASE)
"""A word that begins with an apostrophe: the Afrikaans article 'n, the English 's, 'll."""
INITIALS = re.compile(r"(?:[^\W\d_]\.)+")
"""J. and U.S."""
SUSPENDED = re.compile(r".*[^\W\d_][-\u2010]")
"""Haus- (und Hof)."""
LETTERS_CALLED_SIGNS = frozenset("\u104c\u104d\u104e\u104f")
"""Burmese particles, which Unicode counts as punctuation."""


def words_in(text: str) -> list[tuple[int, int]]:
    """Start and end of each word.

    Words have white space between them. Punctuation at their ends is apart, a run of one sign (`...`, `''`) as one
    word; so are currency signs, emoji, tags of markup (`<s>`), and an English `'s`. Initials (`J.`, `U.S.`) keep
    their points, and signs within a word stay there (`1,000.5`, `Coca-Cola`, `O'Neil`, addresses). Chinese,
    Japanese, Thai, Lao and Khmer have a word for every character with its marks, Tibetan has one for every
    syllable, and Burmese has those that are between spaces, as in PAN-X.
    """
    found: list[tuple[int, int]] = []
    for match in SPACED.finditer(text):
        start = match.start()
        for own in APART.finditer(text, match.start(), match.end()):
            found += _parts(text, start, own.start())
            found.append(own.span())
            start = own.end()
        found += _parts(text, start, match.end())
    return _with_marks(text, found)


def _parts(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """A word without the signs at its ends, and those signs."""
    first, last = start, end
    while last > start and _is_sign(text[last - 1]):
        last -= 1
    while first < last and _is_sign(text[first]) and not _is_clitic(text, first, last, end):
        first += 1
    if last < end and (INITIALS.fullmatch(text, first, last + 1) or SUSPENDED.fullmatch(text, first, last + 1)):
        last += 1
    return _runs(text, start, first) + _without_possessive(text, first, last) + _runs(text, last, end)


def _is_clitic(text: str, first: int, last: int, end: int) -> bool:
    """Whether the apostrophe before a word is its own, and no quotation mark that another one closes."""
    is_quoted = any(sign in APOSTROPHES for sign in text[last:end])
    return not is_quoted and CLITIC.fullmatch(text, first, last) is not None


def _without_possessive(text: str, start: int, end: int) -> list[tuple[int, int]]:
    if start == end:
        return []
    tail = POSSESSIVE.search(text[start:end])
    return [(start, end)] if tail is None else [(start, start + tail.start()), (start + tail.start(), end)]


def _runs(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Signs, the same one several times together."""
    firsts = [place for place in range(start, end) if place == start or text[place] != text[place - 1]]
    return list(pairwise([*firsts, end]))


def _is_sign(character: str) -> bool:
    """Punctuation and currency."""
    category = unicodedata.category(character)
    return (category.startswith("P") or category == "Sc") and character not in LETTERS_CALLED_SIGNS


def _with_marks(text: str, words: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """No word begins within what is one character to the eye: accents and joiners stay with what they follow."""
    found: list[tuple[int, int]] = []
    for start, end in words:
        if found and found[-1][1] == start and _is_mark(text[start]):
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def _is_mark(character: str) -> bool:
    return character in "\u200c\u200d" or unicodedata.category(character).startswith("M")
