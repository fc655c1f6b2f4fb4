"""Token ids of texts, text pairs and sentences that come as words."""

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from lowres_stilts.errors import TooLongError, UsageError
from lowres_stilts.text.literal import read_literally


@dataclass(frozen=True)
class WordWindow:
    """Part of a sentence that fits the encoder: ids `[length]` and the place of each word's first piece."""

    ids: list[int]
    first_pieces: list[int]


def encode_texts(
    tokenizer: Tokenizer, texts: Sequence[tuple[str, str | None]], max_length: int
) -> list[list[int]]:
    """Token ids with special tokens; of a pair the longer text is cut first.

    Args:
        tokenizer: the encoder's fast tokenizer.
        texts: `(text, None)` or `(text, text_pair)`.
        max_length: most tokens of one sequence, special tokens counted in.

    Raises:
        UsageError: `max_length` leaves no room between the special tokens.
    """
    _require_room(tokenizer, max_length, is_pair=any(second is not None for _, second in texts))
    read_literally(tokenizer)
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length, strategy="longest_first")
    inputs = [first if second is None else (first, second) for first, second in texts]
    return [encoding.ids for encoding in tokenizer.encode_batch(inputs)]


def require_whole(
    tokenizer: Tokenizer, texts: Sequence[tuple[str, str | None]], cut: Sequence[Sequence[int]], max_length: int
) -> None:
    """Whether texts that `encode_texts` encoded are there to their ends.

    Args:
        tokenizer: the encoder's fast tokenizer.
        texts: as they were given.
        cut: their token ids.
        max_length: most tokens of one sequence.

    Raises:
        TooLongError: one was cut.
    """
    full = [text for text, ids in zip(texts, cut, strict=True) if len(ids) >= max_length]
    if not full:
        return
    read_literally(tokenizer)
    tokenizer.no_truncation()
    inputs = [first if second is None else (first, second) for first, second in full]
    longest = max(len(encoding.ids) for encoding in tokenizer.encode_batch(inputs))
    if longest > max_length:
        raise TooLongError(f"a text of {longest} tokens is longer than {max_length}; shorten it, or let it be cut")


def split_texts(tokenizer: Tokenizer, texts: Sequence[str], max_length: int) -> list[list[list[int]]]:
    """Token ids of each text with special tokens, in as many sequences as it needs.

    Raises:
        UsageError: `max_length` leaves no room between the special tokens.
    """
    _require_room(tokenizer, max_length, is_pair=False)
    read_literally(tokenizer)
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length)
    encodings = tokenizer.encode_batch(list(texts))
    return [[part.ids for part in (encoding, *encoding.overflowing)] for encoding in encodings]


def encode_words(
    tokenizer: Tokenizer, sentences: Sequence[Sequence[str]], max_length: int
) -> list[list[WordWindow]]:
    """Windows of at most `max_length` tokens that hold every word of every sentence exactly once.

    The first piece of a word carries its tag. A word without pieces (a control character, say) gets the
    unknown token, and a word longer than a window keeps its first pieces, so that no word goes untagged.

    Raises:
        UsageError: `max_length` leaves no room between the special tokens.
    """
    _require_room(tokenizer, max_length, is_pair=False)
    read_literally(tokenizer)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    encodings = tokenizer.encode_batch(sentences, is_pretokenized=True, add_special_tokens=False)
    before, after = _special_tokens(tokenizer)
    unknown = tokenizer.token_to_id("<unk>")
    room = max_length - len(before) - len(after)
    windows = []
    for words, encoding in zip(sentences, encodings, strict=True):
        pieces: list[list[int]] = [[] for _ in words]
        for token, word in zip(encoding.ids, encoding.word_ids, strict=True):
            if word is not None:
                pieces[word].append(token)
        windows.append(
            [_window(before, group, after) for group in _groups(pieces, room, 3 if unknown is None else unknown)]
        )
    return windows


def _require_room(tokenizer: Tokenizer, max_length: int, *, is_pair: bool) -> None:
    least = tokenizer.num_special_tokens_to_add(is_pair) + 1
    if max_length < least:
        raise UsageError(f"max_length: {max_length} tokens leave no room for text; it must be at least {least}")


def _special_tokens(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The ids that the tokenizer's template puts before and after one text."""
    template = tokenizer.encode("a")
    body = [index for index, special in enumerate(template.special_tokens_mask) if not special]
    return template.ids[: body[0]], template.ids[body[-1] + 1 :]


def _groups(pieces: list[list[int]], room: int, unknown: int) -> list[list[list[int]]]:
    groups: list[list[list[int]]] = [[]]
    used = 0
    for word in pieces:
        kept = (word or [unknown])[:room]
        if used + len(kept) > room:
            groups.append([])
            used = 0
        groups[-1].append(kept)
        used += len(kept)
    return groups


def _window(before: list[int], words: list[list[int]], after: list[int]) -> WordWindow:
    ids = list(before)
    first_pieces = []
    for word in words:
        first_pieces.append(len(ids))
        ids.extend(word)
    return WordWindow(ids + after, first_pieces)
