"""How often words occur in a language: from texts, or from the word lists of `wordfreq`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from lowres_stilts.errors import DataError, ExportError
from lowres_stilts.names import unreadable

CAPITALIZED = 0.2
"""How often a word starts with a capital, as a share of its frequency: the lists are in lower case."""
MOST = 50_000
"""Words of a list; the rest are rare, and misspelled more often than not."""


def word_counts(languages: Sequence[str], texts: Mapping[str, Sequence[Path]]) -> dict[str, dict[str, float]]:
    """Frequencies of words by language.

    Args:
        languages: their codes.
        texts: UTF-8 files by language; a language with some is counted in these alone.

    Raises:
        ExportError: there is neither a text nor a list of a language.
        DataError: a text cannot be read.
    """
    return {language: _of(language, texts.get(language, ())) for language in languages}


def _of(language: str, texts: Sequence[Path]) -> dict[str, float]:
    if texts:
        counts: Counter[str] = Counter()
        for path in texts:
            counts.update(_read(path).split())
        return dict(counts)
    return _listed(language)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(unreadable(path, error)) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text") from error


def _listed(language: str) -> dict[str, float]:
    try:
        from wordfreq import available_languages, top_n_list, word_frequency  # noqa: PLC0415 - large, and of use here only
    except ImportError:
        raise ExportError(
            "--languages: word lists come with wordfreq (pip install wordfreq); or give --text LANGUAGE=FILE"
        ) from None
    if language not in available_languages():
        raise ExportError(
            f"--languages: there is no word list of {language}; give a text of it with --text {language}=FILE"
        )
    counts: Counter[str] = Counter()
    for word in top_n_list(language, MOST, wordlist="best"):
        frequency = word_frequency(word, language, wordlist="best")
        counts[word] += frequency
        if word.capitalize() != word:
            counts[word.capitalize()] += CAPITALIZED * frequency
    return dict(counts)
