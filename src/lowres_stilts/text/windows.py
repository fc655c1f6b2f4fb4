"""Windows over a long context, each with the question before it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Encoding, Tokenizer

from lowres_stilts.errors import UsageError
from lowres_stilts.text.literal import read_literally

LONGEST_QUESTION = 64
"""Most tokens of a question, as in SQuAD's baselines (Devlin et al. 2019)."""
STRIDE = 128
"""Tokens that windows share; XTREME's baselines."""
OUTSIDE = (-1, -1)


@dataclass(frozen=True)
class ContextWindow:
    """A question with part of its context: ids `[length]`, and which characters of the context each token is."""

    ids: list[int]
    offsets: list[tuple[int, int]]
    """Start and end in the context; `OUTSIDE` for special tokens and the question's."""


def encode_contexts(
    tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]], max_length: int, stride: int
) -> list[list[ContextWindow]]:
    """Windows of at most `max_length` tokens that together hold the whole context of every question.

    Args:
        tokenizer: the encoder's fast tokenizer.
        pairs: question and context.
        max_length: most tokens of a window, the question and special tokens counted in.
        stride: tokens that a window shares with the one before it.

    Raises:
        UsageError: `max_length` leaves no room for a context.
    """
    read_literally(tokenizer)
    special = tokenizer.num_special_tokens_to_add(True)
    room = max_length - special
    if room < 4:
        raise UsageError(f"max_length: {max_length} tokens leave no room for a question and its context")
    longest_question = min(LONGEST_QUESTION, room // 2)
    questions = _cut(tokenizer, [question for question, _ in pairs], longest_question)
    overlap = min(stride, (room - longest_question) // 2)
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length, stride=overlap, strategy="only_second")
    inputs = [(question, context) for question, (_, context) in zip(questions, pairs, strict=True)]
    encodings = tokenizer.encode_batch(inputs)
    return [[_window(part) for part in (encoding, *encoding.overflowing)] for encoding in encodings]


def _cut(tokenizer: Tokenizer, texts: Sequence[str], tokens: int) -> list[str]:
    tokenizer.no_padding()
    tokenizer.no_truncation()
    encodings = tokenizer.encode_batch(texts, add_special_tokens=False)
    return [
        text if len(encoding.ids) <= tokens else text[: encoding.offsets[tokens - 1][1]]
        for text, encoding in zip(texts, encodings, strict=True)
    ]


def _window(encoding: Encoding) -> ContextWindow:
    offsets = [
        (start, end) if sequence == 1 else OUTSIDE
        for (start, end), sequence in zip(encoding.offsets, encoding.sequence_ids, strict=True)
    ]
    return ContextWindow(encoding.ids, offsets)
