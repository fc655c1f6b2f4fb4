"""Token ids of texts, text pairs and sentences that come as words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from lowres_stilts.errors import TooLongError, UsageError
from lowres_stilts.text.slices import STEP, Steps, counts_of, finish, ids_of, read_whole

TextPair = tuple[str, str | None]


@dataclass(frozen=True)
class WordWindow:
    """Part of a sentence that fits the encoder: ids `[length]` and the place of each word's first piece."""

    ids: list[int]
    first_pieces: list[int]


@dataclass(frozen=True)
class Template:
    """The special ids around one text, or around and between two."""

    before: list[int]
    between: list[int]
    after: list[int]

    @property
    def size(self) -> int:
        """How many they are."""
        return len(self.before) + len(self.between) + len(self.after)

    @classmethod
    def of(cls, tokenizer: Tokenizer, *, is_pair: bool) -> "Template":
        """That of a tokenizer that `read_whole` has seen."""
        encoding = tokenizer.encode("a", "a") if is_pair else tokenizer.encode("a")
        ids, owners = encoding.ids, encoding.sequence_ids
        first, second = ([place for place, owner in enumerate(owners) if owner == number] for number in (0, 1))
        between = ids[first[-1] + 1 : second[0]] if is_pair else []
        return cls(ids[: first[0]], between, ids[(second or first)[-1] + 1 :])

    def around(self, first: list[int], second: Sequence[int] = ()) -> list[int]:
        """The ids of one sequence."""
        return [*self.before, *first, *self.between, *second, *self.after]


def encode_texts(tokenizer: Tokenizer, texts: Sequence[TextPair], max_length: int) -> list[list[int]]:
    """Token ids with special tokens; of a pair the longer text is cut first.

    Args:
        tokenizer: the encoder's fast tokenizer.
        texts: `(text, None)` or `(text, text_pair)`.
        max_length: most tokens of one sequence, special tokens counted in.

    Raises:
        UsageError: `max_length` leaves no room between the special tokens.
    """
    return finish(texts_in_steps(tokenizer, texts, max_length))


def texts_in_steps(tokenizer: Tokenizer, texts: Sequence[TextPair], max_length: int) -> Steps[list[list[int]]]:
    """`encode_texts`, which reads no more of a text than can be seen."""
    _require_room(tokenizer, max_length, is_pair=any(second is not None for _, second in texts))
    read_whole(tokenizer)
    templates = [Template.of(tokenizer, is_pair=is_pair) for is_pair in (False, True)]
    rooms = [max_length - templates[second is not None].size for _, second in texts]
    flat = [(text, room) for pair, room in zip(texts, rooms, strict=True) for text in pair if text is not None]
    ids = iter((yield from ids_of(tokenizer, [text for text, _ in flat], [room for _, room in flat])))
    found = []
    for (first, second), room in zip(texts, rooms, strict=True):
        parts = [next(ids)] if second is None else [next(ids), next(ids)]
        if second is not None:
            lengths = [len(part) for part in parts]
            if room % 2 and lengths == [room, room]:  # one token is that of the longer text
                lengths = yield from counts_of(tokenizer, [first, second])
            kept = _longest_first(lengths[0], lengths[1], room)
            parts = [part[:own] for part, own in zip(parts, kept, strict=True)]
        found.append(templates[second is not None].around(*parts))
    return found


def require_whole(
    tokenizer: Tokenizer, texts: Sequence[TextPair], cut: Sequence[Sequence[int]], max_length: int
) -> Steps[None]:
    """Whether texts that `encode_texts` encoded are there to their ends.

    Args:
        tokenizer: the encoder's fast tokenizer.
        texts: as they were given.
        cut: their token ids.
        max_length: most tokens of one sequence.

    Raises:
        TooLongError: one was cut.
    """
    read_whole(tokenizer)
    longest = 0
    for pair, ids in zip(texts, cut, strict=True):
        if len(ids) >= max_length:
            counts = yield from counts_of(tokenizer, [text for text in pair if text is not None])
            longest = max(longest, sum(counts) + tokenizer.num_special_tokens_to_add(pair[1] is not None))
    if longest > max_length:
        raise TooLongError(f"a text of {longest} tokens is longer than {max_length}; shorten it, or let it be cut")


def split_texts(tokenizer: Tokenizer, texts: Sequence[str], max_length: int) -> list[list[list[int]]]:
    """Token ids of each text with special tokens, in as many sequences as it needs.

    Raises:
        UsageError: `max_length` leaves no room between the special tokens.
    """
    _require_room(tokenizer, max_length, is_pair=False)
    read_whole(tokenizer)
    template = Template.of(tokenizer, is_pair=False)
    room = max_length - template.size
    return [
        [template.around(ids[start : start + room]) for start in range(0, len(ids) or 1, room)]
        for ids in finish(ids_of(tokenizer, texts))
    ]


def encode_words(
    tokenizer: Tokenizer, sentences: Sequence[Sequence[str]], max_length: int
) -> list[list[WordWindow]]:
    """Windows of at most `max_length` tokens that hold every word of every sentence exactly once.

    The first piece of a word carries its tag. A word without pieces (a control character, say) gets the
    unknown token, and a word longer than a window keeps its first pieces, so that no word goes untagged.

    Raises:
        UsageError: `max_length` leaves no room between the special tokens.
    """
    return finish(words_in_steps(tokenizer, sentences, max_length))


def words_in_steps(
    tokenizer: Tokenizer, sentences: Sequence[Sequence[str]], max_length: int
) -> Steps[list[list[WordWindow]]]:
    """`encode_words`; a tokenizer reads each word by itself, so that sentences can be parted between any two."""
    _require_room(tokenizer, max_length, is_pair=False)
    read_whole(tokenizer)
    template = Template.of(tokenizer, is_pair=False)
    unknown = tokenizer.token_to_id("<unk>")
    room = max_length - template.size
    pieces: list[list[list[int]]] = [[] for _ in sentences]
    for batch in _word_batches(sentences):
        inputs = [sentences[number][start:end] for number, start, end in batch]
        encodings = tokenizer.encode_batch(inputs, is_pretokenized=True, add_special_tokens=False)
        for (number, _, _), words, encoding in zip(batch, inputs, encodings, strict=True):
            own: list[list[int]] = [[] for _ in words]
            for token, word in zip(encoding.ids, encoding.word_ids, strict=True):
                if word is not None and len(own[word]) < room:
                    own[word].append(token)
            pieces[number] += own
        yield
    found = []
    for own in pieces:
        groups = _groups(own, room, 3 if unknown is None else unknown)
        found.append([_window(template, group) for group in groups])
        yield
    return found


def _word_batches(sentences: Sequence[Sequence[str]]) -> Iterator[list[tuple[int, int, int]]]:
    """Runs of words that are tokenized together: the sentence's number, and the run's first and last word + 1."""
    batch: list[tuple[int, int, int]] = []
    characters = 0
    for number, words in enumerate(sentences):
        start = 0
        for end, word in enumerate(words, start=1):
            characters += len(word)
            if characters >= STEP:
                yield [*batch, (number, start, end)]
                batch, start, characters = [], end, 0
        if start < len(words):
            batch.append((number, start, len(words)))
    if batch:
        yield batch


def _longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    """How many tokens of a pair are kept: as the `longest_first` of `tokenizers`, of which this is a copy.

    A length that is `room` may stand for any that is longer, but where both are and one token cannot be halved.
    """
    if first + second <= room:
        return first, second
    shorter = min(first, second)
    longer = max(shorter, room - shorter)
    if shorter + longer > room:
        shorter, longer = room // 2, room - room // 2
    return (longer, shorter) if first > second else (shorter, longer)


def _require_room(tokenizer: Tokenizer, max_length: int, *, is_pair: bool) -> None:
    least = tokenizer.num_special_tokens_to_add(is_pair) + 1
    if max_length < least:
        raise UsageError(f"max_length: {max_length} tokens leave no room for text; it must be at least {least}")


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


def _window(template: Template, words: list[list[int]]) -> WordWindow:
    ids = list(template.before)
    first_pieces = []
    for word in words:
        first_pieces.append(len(ids))
        ids.extend(word)
    return WordWindow(ids + template.after, first_pieces)
