"""Features are made once per task, examples, tokenizer and length, and kept in the user's cache."""

import contextlib
import hashlib
import itertools
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from lowres_stilts.storage import cache_dir, write_folder
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.tasks.features import Features, write_features
from lowres_stilts.tasks.task import Task

FORMAT = 2
"""Part of the key: a change of the encoding makes new files."""
EXAMPLES_AT_ONCE = 1000


def cached_features(task: Task, examples: Iterable[Any], tokenizer: Tokenizer, max_length: int) -> Features:
    """Features of the examples, from the cache where they are there.

    The examples are gone through twice, a piece at a time; neither they nor the features are ever in memory
    as a whole.
    """
    parts = (FORMAT, task.family, task.labels, max_length, _fingerprint(tokenizer), fingerprint(examples))
    key = hashlib.sha256("|".join(map(str, parts)).encode())
    folder = cache_dir() / "features" / key.hexdigest()
    with contextlib.suppress(OSError, ValueError, KeyError):  # absent or damaged
        return Features.load(folder)
    shutil.rmtree(folder, ignore_errors=True)

    def fill(temporary: Path) -> None:
        write_features(temporary, encode_in_parts(task, examples, tokenizer, max_length))

    write_folder(folder, fill)
    return Features.load(folder)


def fingerprint(examples: Iterable[Any]) -> str:
    """SHA-256 over the examples in their order."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(f"{example!r}\n".encode(errors="surrogatepass"))
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
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return hashlib.sha256(tokenizer.to_str().encode()).hexdigest()
