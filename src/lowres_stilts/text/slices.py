"""Texts of any length, tokenized a slice at a time: no more is read than is wanted, and little is in memory.

A slice ends before a space with a letter or digit on both sides (`BOUNDARY`), in tokenizers of which
`parts_at_spaces` knows every step; texts of others, and texts without such a space, are one slice. The tokens of a
text `u + v` that is parted there are those of `u` and then those of `v`:

1. *Normalizing* `u + v` gives the normal form of `u` and then that of `v`. What works character by character does
   so anywhere. The space is a starter that composes with nothing on either side, in all four forms of Unicode
   (UAX 15). SentencePiece's map of characters goes by grapheme clusters, and one ends before a space unless a
   character of the class Prepend is in front (UAX 29, GB9b); those, and letters that a cluster adds to a space,
   are no neighbours of a boundary. A letter or digit never ends in white space by normalizing, however many
   characters it becomes (U+FDFA becomes 18), and a space before another one stays a space, so that runs of
   spaces, which are made one, and spaces at the end, which are removed, lie in one of the two. BERT's puts spaces
   around a Chinese character; it is known only where the next step throws all white space away.
2. *Pre-tokenizing*: the first step parts the normal text at every space, so it does between the two; words that
   come of it are read by themselves in all later steps, and by the model. A `▁` that is put before a text without
   one changes nothing, as `v` begins with its space.
3. *Added tokens* that are read as such could lie across; tokenizers that have some are not known. Names of control
   tokens are characters (`text.literal`).
"""

import json
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import count
from typing import NamedTuple, TypeVar

from tokenizers import Encoding, Tokenizer, normalizers, pre_tokenizers

from lowres_stilts.text.literal import read_literally

Result = TypeVar("Result")
Steps = Generator[None, None, Result]
"""Work with a result that can be interrupted between its steps, each of some milliseconds."""
Offsets = tuple[int, int]

SLICE = 2048
"""Characters that a slice has at most, unless it has no boundary."""
STEP = 8192
"""Characters that are tokenized at once, give or take a slice."""
PREPENDED = (
    "\u0d4e\U000111c2\U000111c3\U000113d1\U0001193f\U00011941\U00011a3a\U00011a84-\U00011a89\U00011d46\U00011f02"
)
"""Letters that are one grapheme cluster with what follows."""
APPENDED = "\u0e33\u0eb3\uff9e\uff9f"
"""Letters that are one grapheme cluster with what they follow."""
BOUNDARY = re.compile(f"(?<=[^\\W_{PREPENDED}]) (?=[^\\W_{APPENDED}])")

LOCAL_NORMALIZERS = (
    normalizers.NFC,
    normalizers.NFD,
    normalizers.NFKC,
    normalizers.NFKD,
    normalizers.Nmt,
    normalizers.Precompiled,
    normalizers.Lowercase,
    normalizers.StripAccents,
    normalizers.BertNormalizer,
)
RUNS_OF_SPACES = (" {2,}", r"\s+")
SPACE_SPLITTERS = (pre_tokenizers.WhitespaceSplit, pre_tokenizers.Whitespace, pre_tokenizers.BertPreTokenizer)


class Tokens(NamedTuple):
    """Token ids `[length]` and the characters that each is of."""

    ids: list[int]
    offsets: list[Offsets]


def finish(steps: Steps[Result]) -> Result:
    """All steps at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result


def read_whole(tokenizer: Tokenizer) -> None:
    """Makes a tokenizer neither pad nor cut, and read names of control tokens as characters.

    A tokenizer that is so is not touched: threads may use it at the same time.
    """
    read_literally(tokenizer)
    if tokenizer.padding is not None:
        tokenizer.no_padding()
    if tokenizer.truncation is not None:
        tokenizer.no_truncation()


def ids_of(
    tokenizer: Tokenizer, texts: Sequence[str], most: Sequence[int] | None = None
) -> Steps[list[list[int]]]:
    """Token ids of each text without special ones; no more of each than `most`."""
    found: list[list[int]] = [[] for _ in texts]

    def is_enough(number: int) -> bool:
        return most is not None and len(found[number]) >= most[number]

    for batch in _in_slices(tokenizer, texts, is_enough, fast=True):
        for number, _, encoding in batch:
            found[number] += encoding.ids
        yield
    return found if most is None else [ids[:own] for ids, own in zip(found, most, strict=True)]


def tokens_of_each(tokenizer: Tokenizer, texts: Sequence[str], most: int | None = None) -> Steps[list[Tokens]]:
    """Tokens of each text without special ones; those after `most` may be missing."""
    found = [Tokens([], []) for _ in texts]

    def is_enough(number: int) -> bool:
        return most is not None and len(found[number].ids) >= most

    for batch in _in_slices(tokenizer, texts, is_enough, fast=False):
        for number, start, encoding in batch:
            found[number].ids.extend(encoding.ids)
            found[number].offsets.extend((start + first, start + last) for first, last in encoding.offsets)
        yield
    return found


def counts_of(tokenizer: Tokenizer, texts: Sequence[str]) -> Steps[list[int]]:
    """How many tokens each text has, special ones not counted."""
    found = [0 for _ in texts]
    for batch in _in_slices(tokenizer, texts, lambda _: False, fast=True):
        for number, _, encoding in batch:
            found[number] += len(encoding)
        yield
    return found


def slices(tokenizer: Tokenizer, text: str) -> Iterator[tuple[int, int]]:
    """Start and end of the slices of a text; one that is empty of an empty text."""
    if len(text) <= SLICE or not parts_at_spaces(tokenizer):
        yield 0, len(text)
        return
    start = 0
    while start < len(text):
        end = _end(text, start)
        yield start, end
        start = end


def parts_at_spaces(tokenizer: Tokenizer) -> bool:
    """Whether tokens before a `BOUNDARY` never depend on what is after it, nor the other way round."""
    if any(not token.special for token in tokenizer.get_added_tokens_decoder().values()):
        return False
    steps = _parts(tokenizer.normalizer, normalizers.Sequence)
    first, *others = _parts(tokenizer.pre_tokenizer, pre_tokenizers.Sequence) or [None]
    keeps_spaces = isinstance(first, pre_tokenizers.Metaspace) and first.split
    return (
        all(map(_is_local, steps))
        and (keeps_spaces or isinstance(first, SPACE_SPLITTERS))
        and not (keeps_spaces and any(isinstance(own, normalizers.BertNormalizer) for own in steps))
        and not any(isinstance(own, pre_tokenizers.Metaspace) and own.prepend_scheme == "first" for own in others)
    )


def _parts(step: object, sequence: type) -> list[object]:
    """The steps of a step."""
    if step is None:
        return []
    if not isinstance(step, sequence):
        return [step]
    found: list[object] = []
    for number in count():
        try:
            own = step[number]  # type: ignore[index]
        except IndexError:
            return found
        found += _parts(own, sequence)
    return found


def _is_local(step: object) -> bool:
    """Whether a normalizer makes the same of texts and of their slices."""
    if isinstance(step, LOCAL_NORMALIZERS):
        return True
    if isinstance(step, normalizers.Strip):
        return not step.left
    if not isinstance(step, normalizers.Replace):
        return False
    pattern = json.loads(step.__getstate__())["pattern"]
    if "Regex" in pattern:
        return pattern["Regex"] in RUNS_OF_SPACES
    return not any(character == " " or character.isalnum() for character in pattern["String"])


def _end(text: str, start: int) -> int:
    """Where the slice ends that starts here."""
    limit = start + SLICE
    if len(text) <= limit:
        return len(text)
    places = [found.start() for found in BOUNDARY.finditer(text, start + 1, limit)]
    if places:
        return places[-1]
    later = BOUNDARY.search(text, max(start + 1, limit - 1))
    return later.start() if later else len(text)


def _in_slices(
    tokenizer: Tokenizer, texts: Sequence[str], is_enough: Callable[[int], bool], *, fast: bool
) -> Iterator[list[tuple[int, int, Encoding]]]:
    """The next slices of several texts together: the text's number, the slice's start, and its tokens.

    Args:
        tokenizer: which `read_whole` has seen.
        texts: those that are short come in one slice.
        is_enough: whether a text's further slices are not wanted.
        fast: whether offsets are not wanted.
    """
    encode = tokenizer.encode_batch_fast if fast else tokenizer.encode_batch
    ahead: list[tuple[int, int, int]] = []
    characters = 0

    def encoded() -> list[tuple[int, int, Encoding]]:
        inputs = [texts[number][start:end] for number, start, end in ahead]
        found = encode(inputs, add_special_tokens=False)
        return [(number, start, own) for (number, start, _), own in zip(ahead, found, strict=True)]

    for number, text in enumerate(texts):
        for start, end in slices(tokenizer, text):
            if is_enough(number):
                break
            ahead.append((number, start, end))
            characters += end - start
            if end < len(text) or characters >= STEP:
                yield encoded()
                ahead, characters = [], 0
    if ahead:
        yield encoded()
