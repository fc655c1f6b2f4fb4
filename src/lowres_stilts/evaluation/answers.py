"""Exact match and F1 of extracted answers, as the official scripts of SQuAD 1.1, SQuAD 2.0 and MLQA count them.

Gold of one example is a tuple of answer texts, empty for a question without an answer. A prediction is a text, or
None for a question that was left out, which counts 0. The best of the gold answers counts, for either figure.
"""

import functools
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from lowres_stilts.errors import DataError
from lowres_stilts.evaluation.metric import Floats, Metric, ratio

Answers = tuple[str, ...]

_ENGLISH_ARTICLES = r"\b(a|an|the)\b"
_ARTICLES: Mapping[str, str | None] = MappingProxyType(
    {
        "en": _ENGLISH_ARTICLES,
        "es": r"\b(un|una|unos|unas|el|la|los|las)\b",
        "hi": None,
        "vi": r"\b(của|là|cái|chiếc|những)\b",
        "de": r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
        "ar": r"\sال^|ال",  # sic: the first half never matches, so "ال" goes wherever it stands.
        "zh": None,
    }
)
"""MLQA's languages and what its script takes for their articles."""


def normalize_squad(text: str) -> str:
    """Lower case, no ASCII punctuation, no English articles, single spaces (Rajpurkar et al. 2016)."""
    bare = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(_ENGLISH_ARTICLES, " ", bare).split())


def normalize_mlqa(text: str, language: str) -> str:
    """SQuAD's normalization with the punctuation of all scripts and a language's articles (Lewis et al. 2020).

    In Chinese every ideograph becomes a token of its own.

    Raises:
        DataError: MLQA does not have the language.
    """
    if language not in _ARTICLES:
        raise DataError(f"MLQA has no language {language!r}; it has {', '.join(_ARTICLES)}")
    bare = "".join(character for character in text.lower() if not _is_punctuation(character))
    articles = _ARTICLES[language]
    if articles is not None:
        bare = re.sub(articles, " ", bare)
    if language == "zh":
        bare = re.sub(r"([\u4e00-\u9fa5])", r" \1 ", bare)
    return " ".join(bare.split())


@functools.cache
def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character).startswith("P") or character in string.punctuation


def _overlap(predicted: Sequence[str], gold: Sequence[str]) -> float:
    """F1 over tokens, with their numbers; 0 without a common one, even where both are empty."""
    common = sum((Counter(predicted) & Counter(gold)).values())
    if common == 0:
        return 0.0
    found, true = common / len(predicted), common / len(gold)
    return 2 * found * true / (found + true)


def _overlap_or_equal(predicted: Sequence[str], gold: Sequence[str]) -> float:
    """SQuAD 2.0's: to say nothing is right where there is nothing to be said."""
    return _overlap(predicted, gold) if predicted and gold else float(predicted == gold)


def _answer_table(
    gold: Sequence[Answers],
    predicted: Sequence[str | None],
    normalize: Callable[[str], str],
    overlap: Callable[[Sequence[str], Sequence[str]], float] = _overlap,
) -> Floats:
    """Exact match, F1 and 1 for each question."""
    counts = np.zeros((len(gold), 3))
    for row, answers, text in zip(counts, gold, predicted, strict=True):
        row[2] = 1
        if text is None or not answers:
            continue
        ours, theirs = normalize(text), [normalize(answer) for answer in answers]
        row[0] = ours in theirs
        row[1] = max(overlap(ours.split(), answer.split()) for answer in theirs)
    return counts


def _squad_table(gold: Sequence[Answers], predicted: Sequence[str | None], language: str) -> Floats:
    return _answer_table(gold, predicted, normalize_squad)


def _squad_v2_table(gold: Sequence[Answers], predicted: Sequence[str | None], language: str) -> Floats:
    told = [tuple(answer for answer in answers if normalize_squad(answer)) or ("",) for answers in gold]
    return _answer_table(told, predicted, normalize_squad, _overlap_or_equal)


def _mlqa_table(gold: Sequence[Answers], predicted: Sequence[str | None], language: str) -> Floats:
    return _answer_table(gold, predicted, functools.partial(normalize_mlqa, language=language))


def _exact_match(sums: Floats) -> Floats:
    return ratio(100 * sums[..., 0], sums[..., 2])


def _answer_f1(sums: Floats) -> Floats:
    return ratio(100 * sums[..., 1], sums[..., 2])


def _mean_of_both(sums: Floats) -> Floats:
    return (_exact_match(sums) + _answer_f1(sums)) / 2


_PARTS = MappingProxyType({"exact_match": _exact_match, "f1": _answer_f1})

SQUAD = Metric("squad", _squad_table, _mean_of_both, _PARTS)
"""SQuAD 1.1, for XQuAD and TyDi QA too, in every language; its script knows no question without an answer: 0."""
SQUAD_V2 = Metric("squad_v2", _squad_v2_table, _mean_of_both, _PARTS)
"""SQuAD 2.0, where "" is the answer to a question without one."""
MLQA = Metric("mlqa", _mlqa_table, _mean_of_both, _PARTS)
"""MLQA, which needs the language."""
