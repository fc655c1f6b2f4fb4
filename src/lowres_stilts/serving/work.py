"""How many tokens texts will be, and how long tokens take: expected, and corrected by what is measured."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from lowres_stilts.runtime.manifest import FamilyName

SAMPLE = 64
"""Characters of a text that are looked at."""
STARTS = (0, 0x1100, 0x1200, 0x2E80, 0xA4D0, 0xA960, 0xA980, 0xAC00, 0xD800, 0xF900, 0xFB00, 0x1F000, 0x20000)
"""First code points of ranges of scripts that alternate between alphabets, and syllables and ideographs."""
ALPHABET, SYLLABLES, PICTURES = 0.3, 0.6, 1.0
"""Tokens of a character, with XLM-R's vocabulary on XNLI and Tatoeba: 0.22 to 0.38 in 45 languages with alphabets,
0.56 to 0.64 in Chinese, Japanese and Korean."""
RATES = np.array([ALPHABET, SYLLABLES] * 5 + [ALPHABET, PICTURES, SYLLABLES])
SPECIAL = 2
"""Tokens around a text."""
MEMORY_TOKENS = 32_768
"""That what is learned rests on."""
PRIOR_TOKENS = 1024
"""That what was known before counts for."""


class Estimate(NamedTuple):
    """Tokens that a request is expected to have, by the lengths of its texts."""

    kind: str = "none"
    """Which estimates are wrong in the same way: a family of tasks, say."""
    tokens: float = 0.0


def estimated_tokens(sequences: Iterable[Sequence[str]], longest: int | None) -> float:
    """Tokens of sequences of one text or several, by the number and the script of their characters.

    Args:
        sequences: texts that are put together.
        longest: most tokens of a sequence, where texts are cut.
    """
    most = float("inf") if longest is None else longest
    return sum(min(most, SPECIAL + sum(map(_estimated, texts))) for texts in sequences)


def family_estimate(family: FamilyName, inputs: Sequence[Any], max_length: int) -> Estimate:
    """Tokens of inputs of a family; those that are read in windows are not cut."""
    match family:
        case "classification":
            given = [(item,) if isinstance(item, str) else item for item in inputs]
            return Estimate(family, estimated_tokens(given, max_length))
        case "multiple_choice":
            pairs = ((prompt, choice) for prompt, choices in inputs for choice in choices)
            return Estimate(family, estimated_tokens(pairs, max_length))
        case _:
            return Estimate(family, estimated_tokens(inputs, None))


def _estimated(text: str) -> float:
    if text.isascii():
        return ALPHABET * len(text)
    sample = text[:: (len(text) // SAMPLE) | 1].encode("utf-32-le", "replace")
    ranges = np.searchsorted(STARTS, np.frombuffer(sample, np.uint32), side="right") - 1
    return len(text) * float(RATES[ranges].mean())


class Corrections:
    """By kind of request, how many tokens there were for each that was expected."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, float]] = {}

    def tokens(self, estimate: Estimate) -> int:
        """The estimate, corrected."""
        found, expected = self._seen.get(estimate.kind, (1.0, 1.0))
        return round(estimate.tokens * found / expected)

    def learn(self, estimate: Estimate, tokens: int) -> None:
        """How many there were; what is long ago counts little."""
        if not estimate.tokens:
            return
        found, expected = self._seen.get(estimate.kind, (PRIOR_TOKENS, PRIOR_TOKENS))
        kept = MEMORY_TOKENS / (MEMORY_TOKENS + estimate.tokens)
        self._seen[estimate.kind] = (kept * found + tokens, kept * expected + estimate.tokens)


class Speed:
    """Seconds that tokens take where enough are waiting to make full batches.

    Args:
        tokens_per_batch: of a full one.
        full_batch_seconds: what it takes, where that was tried.
    """

    def __init__(self, tokens_per_batch: int, full_batch_seconds: float = 0.0) -> None:
        self._least = tokens_per_batch
        self._tokens = float(PRIOR_TOKENS)
        self._seconds = full_batch_seconds * PRIOR_TOKENS / tokens_per_batch

    def learn(self, tokens: int, seconds: float, left: int) -> None:
        """A batch is through; what is long ago counts little, and what did not have to be quick does not count.

        Args:
            tokens: of the batch.
            seconds: in which no other batch was through.
            left: tokens that were waiting when it was made.
        """
        if tokens + left >= self._least:
            kept = MEMORY_TOKENS / (MEMORY_TOKENS + tokens)
            self._tokens = kept * self._tokens + tokens
            self._seconds = kept * self._seconds + seconds

    def seconds(self, tokens: float) -> float:
        """For so many."""
        return tokens * self._seconds / self._tokens
