"""Features are made once per task, examples, tokenizer and length, and kept in the user's cache.

Machines that work together may have them from each other, by a `Shelf`.
"""

import contextlib
import hashlib
import itertools
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol

from tokenizers import Tokenizer

from lowres_stilts.storage import cache_dir, locked, write_folder
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.tasks.features import Features, write_features
from lowres_stilts.tasks.task import Task
from lowres_stilts.text.literal import read_literally

FORMAT = 3
"""Part of the key: a change of the encoding makes new files."""
EXAMPLES_AT_ONCE = 1000


class Shelf(Protocol):
    """Where machines put features for each other."""

    def take(self, key: str) -> Mapping[str, bytes] | None:
        """The files of some features by name; None where nobody has put them there."""

    def put(self, key: str, files: Mapping[str, bytes]) -> None:
        """Puts them there for the others."""


_shelf: ContextVar[Shelf | None] = ContextVar("shelf", default=None)


@contextlib.contextmanager
def features_from(shelf: Shelf) -> Iterator[None]:
    """Has features that are not in this machine's cache be taken from a shelf, and made ones be put there."""
    token = _shelf.set(shelf)
    try:
        yield
    finally:
        _shelf.reset(token)


def cached_features(task: Task, examples: Iterable[Any], tokenizer: Tokenizer, max_length: int) -> Features:
    """Features of the examples, from the cache or the shelf where they are there.

    The examples are gone through twice, a piece at a time; neither they nor the features are ever in memory
    as a whole.
    """
    parts = (FORMAT, task.family, task.labels, max_length, _fingerprint(tokenizer), fingerprint(examples))
    key = hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()
    folder, shelf = cache_dir() / "features" / key, _shelf.get()
    if (there := _load(folder)) is not None:
        return there
    with locked(cache_dir() / "locks" / key, wait=True):
        if (there := _load(folder)) is not None:  # another process made them meanwhile
            return there
        shutil.rmtree(folder, ignore_errors=True)
        taken = shelf.take(key) if shelf is not None else None

        def fill(temporary: Path) -> None:
            if taken is None:
                write_features(temporary, encode_in_parts(task, examples, tokenizer, max_length))
                return
            for name, content in taken.items():
                (temporary / name).write_bytes(content)

        write_folder(folder, fill)
        if shelf is not None and taken is None:
            shelf.put(key, {path.name: path.read_bytes() for path in folder.iterdir()})
        return Features.load(folder)


def _load(folder: Path) -> Features | None:
    """None where they are absent or damaged."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        return Features.load(folder)
    return None


def fingerprint(examples: Iterable[Any]) -> str:
    """SHA-256 over the examples in their order."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(f"{example!r}\n".encode())
    return digest.hexdigest()


def encode_in_parts(
    task: Task, examples: Iterable[Any], tokenizer: Tokenizer, max_length: int
) -> Iterator[Features]:
    """Features of a thousand examples at a time; at least one part."""
    family = FAMILIES[task.family]
    remaining = iter(examples)
    part = list(itertools.islice(remaining, EXAMPLES_AT_ONCE))
    yield family.encode(task, part, tokenizer, max_length)
    while part := list(itertools.islice(remaining, EXAMPLES_AT_ONCE)):
        yield family.encode(task, part, tokenizer, max_length)


def _fingerprint(tokenizer: Tokenizer) -> str:
    """A hash of all that the tokenizer does."""
    read_literally(tokenizer)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return hashlib.sha256(tokenizer.to_str().encode()).hexdigest()
