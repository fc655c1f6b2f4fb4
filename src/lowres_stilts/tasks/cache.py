"""Features are made once per task, examples, tokenizer and length, and kept in the user's cache."""

import contextlib
import hashlib
from collections.abc import Sequence
from typing import Any
from zipfile import BadZipFile

from tokenizers import Tokenizer

from lowres_stilts.storage import cache_dir, write_file
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.tasks.features import Features
from lowres_stilts.tasks.task import Task

FORMAT = 1
"""Part of the key: a change of the encoding makes new files."""


def cached_features(task: Task, examples: Sequence[Any], tokenizer: Tokenizer, max_length: int) -> Features:
    """Features of the examples, from the cache where they are there."""
    key = hashlib.sha256(f"{FORMAT}|{task.family}|{task.labels}|{max_length}|".encode())
    key.update(_fingerprint(tokenizer).encode())
    for example in examples:
        key.update(f"{example!r}\n".encode(errors="surrogatepass"))
    path = cache_dir() / "features" / f"{key.hexdigest()}.npz"
    with contextlib.suppress(OSError, ValueError, KeyError, BadZipFile):  # absent or damaged
        return Features.load(path)
    features = FAMILIES[task.family].encode(task, examples, tokenizer, max_length)
    write_file(path, features.save)
    return features


def _fingerprint(tokenizer: Tokenizer) -> str:
    """A hash of all that the tokenizer does."""
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return hashlib.sha256(tokenizer.to_str().encode()).hexdigest()
