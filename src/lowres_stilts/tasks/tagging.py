"""Tagging: one tag per word, carried by the word's first piece."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lowres_stilts.data.conll import place_of_token, read_conll
from lowres_stilts.data.examples import Defective, TaggedSentence
from lowres_stilts.data.formats import is_json, read_json
from lowres_stilts.data.readers import Record, is_text, shown
from lowres_stilts.tasks.features import UNLABELLED, Features, pack
from lowres_stilts.tasks.task import Task
from lowres_stilts.text.encode import encode_words

BLANK = "_"
"""Stands for a token with nothing to read in it."""


def read_tagged(path: Path) -> Iterator[Record]:
    """A CoNLL file, or JSON with `tokens` and `tags`."""
    return read_json(path) if is_json(path) else read_conll(path)


def parse_tagged(record: Record, task: Task) -> TaggedSentence | Defective:
    """`tokens` and, where known, `tags`; a visible character stands for a blank token, so that its tag is kept."""
    tokens, tags = record.fields.get("tokens"), record.fields.get("tags")
    if not isinstance(tokens, list) or not tokens or not all(map(is_text, tokens)):
        raise record.error("field 'tokens' must be a list of words")
    blank = next((offset for offset, token in enumerate(tokens) if not token.strip()), None)
    if blank is not None and "blank token" not in task.tolerates:
        raise place_of_token(record, blank).error(f"token {shown(tokens[blank])} is blank; expected a word")
    words = tuple(token if token.strip() else BLANK for token in tokens)
    sentence = TaggedSentence(words, None if tags is None else _tags(record, task, tags, len(words)))
    return sentence if blank is None else Defective("blank token", sentence)


def _tags(record: Record, task: Task, tags: object, count: int) -> tuple[str, ...]:
    if not isinstance(tags, list) or len(tags) != count:
        raise record.error(f"field 'tags' must be a list of {count} tags, one for each token")
    return tuple(_tag(record, task, offset, tag) for offset, tag in enumerate(tags))


def _tag(record: Record, task: Task, offset: int, tag: object) -> str:
    name = task.label_names.get(str(tag), str(tag))
    if task.labels and name not in task.labels:
        hint = f"; write labels as the tags are, such as B-{name[2:]}" if name[2:] in task.labels else ""
        raise place_of_token(record, offset).error(f"tag {tag!r} is not one of {', '.join(task.labels)}{hint}")
    return name


class Tagging:
    """One sequence per window of a sentence; the head scores the tags of every token."""

    head: Final = "token"

    def outputs(self, task: Task) -> int:
        """One per tag."""
        return len(task.labels)

    def encode(
        self, task: Task, examples: Sequence[TaggedSentence], tokenizer: Tokenizer, max_length: int
    ) -> Features:
        """Windows that hold every word once; labels stand at the words' first pieces."""
        number = {label: index for index, label in enumerate(task.labels)}
        windows_of = encode_words(tokenizer, [example.words for example in examples], max_length)
        labels: list[int] = []
        first_pieces: list[bool] = []
        for example, windows in zip(examples, windows_of, strict=True):
            tags = iter(example.tags or ())
            for window in windows:
                starts = set(window.first_pieces)
                for position in range(len(window.ids)):
                    first_pieces.append(position in starts)
                    tag = next(tags, None) if position in starts else None
                    labels.append(UNLABELLED if tag is None else number.get(tag, UNLABELLED))
        return pack([[window.ids for window in windows] for windows in windows_of], labels, carriers=first_pieces)

    def decode(
        self, task: Task, example: TaggedSentence, features: Features, index: int, scores: NDArray[np.float32]
    ) -> tuple[str, ...]:
        """A tag for every word."""
        tags = []
        for row, sequence in enumerate(range(features.examples[index], features.examples[index + 1])):
            start, end = features.sequences[sequence], features.sequences[sequence + 1]
            best = scores[row, : end - start].argmax(axis=-1)
            tags += [task.labels[label] for label in best[features.carriers[start:end]]]
        return tuple(tags)

    def gold(self, example: TaggedSentence) -> tuple[str, ...] | None:
        """The tags."""
        return example.tags
