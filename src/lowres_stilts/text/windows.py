"""Windows over a long context, each with the question before it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from lowres_stilts.errors import UsageError
from lowres_stilts.text.encode import Template
from lowres_stilts.text.slices import Offsets, Steps, Tokens, finish, ids_of, read_whole, tokens_of_each

LONGEST_QUESTION = 64
"""Most tokens of a question, as in SQuAD's baselines (Devlin et al. 2019)."""
STRIDE = 128
"""Tokens that windows share; XTREME's baselines."""
OUTSIDE = (-1, -1)


@dataclass(frozen=True)
class ContextWindow:
    """A question with part of its context: ids `[length]`, and which characters of the context each token is."""

    ids: list[int]
    offsets: list[Offsets]
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
    return finish(contexts_in_steps(tokenizer, pairs, max_length, stride))


def contexts_in_steps(
    tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]], max_length: int, stride: int
) -> Steps[list[list[ContextWindow]]]:
    """`encode_contexts`."""
    room = max_length - tokenizer.num_special_tokens_to_add(True)
    if room < 4:
        raise UsageError(f"max_length: {max_length} tokens leave no room for a question and its context")
    read_whole(tokenizer)
    template = Template.of(tokenizer, is_pair=True)
    longest_question = min(LONGEST_QUESTION, room // 2)
    questions = yield from _cut(tokenizer, [question for question, _ in pairs], longest_question)
    question_ids = yield from ids_of(tokenizer, questions, [room] * len(questions))
    overlap = min(stride, (room - longest_question) // 2)
    contexts = yield from tokens_of_each(tokenizer, [context for _, context in pairs])
    found = []
    for question, context in zip(question_ids, contexts, strict=True):
        found.append(list(_windows(template, question, context, room, overlap)))
        yield
    return found


def _cut(tokenizer: Tokenizer, texts: Sequence[str], most: int) -> Steps[list[str]]:
    """Texts up to their last token that is kept."""
    found = yield from tokens_of_each(tokenizer, texts, most + 1)
    return [
        text if len(tokens.ids) <= most else text[: tokens.offsets[most - 1][1]]
        for text, tokens in zip(texts, found, strict=True)
    ]


def _windows(
    template: Template, question: list[int], context: Tokens, room: int, overlap: int
) -> Iterator[ContextWindow]:
    """The windows of one context; `room` is for the question's tokens and the context's."""
    if len(question) + len(context.ids) > room:
        question = question[: room - overlap - 1]  # one that became longer by being cut leaves room to go on
    size = room - len(question)
    before = [OUTSIDE] * (len(template.before) + len(question) + len(template.between))
    after = [OUTSIDE] * len(template.after)
    for start in range(0, len(context.ids) or 1, size - overlap or 1):
        ids, offsets = context.ids[start : start + size], context.offsets[start : start + size]
        yield ContextWindow(template.around(question, ids), before + offsets + after)
        if start + size >= len(context.ids):
            return
