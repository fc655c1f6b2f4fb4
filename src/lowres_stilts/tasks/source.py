"""Where the examples of a task come from: a folder, or the Hugging Face Hub."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lowres_stilts.data.examples import Passage, Pool, Query
from lowres_stilts.data.hub import read_hub, resolve_revision
from lowres_stilts.data.readers import Record
from lowres_stilts.errors import DataError
from lowres_stilts.tasks.reading import LeftOut, read_examples
from lowres_stilts.tasks.task import Split, Task


class Source(Protocol):
    """What the pipeline asks of a place where examples are."""

    def examples(
        self,
        task: Task,
        split: Split,
        language: str,
        *,
        translated: bool = False,
        left_out: LeftOut | None = None,
    ) -> Iterator[Any]:
        """Examples of one split in one language, one by one; or the translated training data.

        `left_out` counts what known defects make useless.

        Raises:
            DataError: something is missing or malformed.
        """

    def pool(self, task: Task, split: Split, language: str) -> Pool:
        """The queries and candidates of a retrieval task.

        Raises:
            DataError: something is missing or malformed.
        """

    def languages(self, task: Task, split: Split) -> tuple[str, ...]:
        """The task's languages that are there."""

    def place(self, task: Task, split: Split, language: str) -> str:
        """Where it looks, for messages."""

    def names(self, task: Task, split: Split) -> bool:
        """Whether the task has such a split here, be it missing or not."""

    def has(self, task: Task, split: Split, language: str) -> bool:
        """Whether a split is there in a language."""


@dataclass(frozen=True)
class FolderSource:
    """A folder with the files of tasks, and the paths that the recipe puts in the place of theirs."""

    folder: Path
    files: Mapping[str, Mapping[Any, str | Sequence[str]]] = field(default_factory=dict)

    def examples(
        self,
        task: Task,
        split: Split,
        language: str,
        *,
        translated: bool = False,
        left_out: LeftOut | None = None,
    ) -> Iterator[Any]:
        """Examples of the files, one after the other."""
        if translated:
            if task.translated is None:
                raise DataError(
                    f"task {task.name} has no translated training data in XTREME's format; "
                    "remove it from intermediate.translated"
                )
            path = self.folder / task.translated.path.replace("{lang}", language)
            return read_examples(task, split, language, task.translated.reader(path), left_out)
        if task.parts and not self.paths(task, split, language):
            parts = (self.examples(part, split, language, left_out=left_out) for part in task.parts)
            return chain.from_iterable(parts)
        records = chain.from_iterable(task.records(path) for path in self._paths(task, split, language))
        return read_examples(task, split, language, records, left_out)

    def pool(self, task: Task, split: Split, language: str) -> Pool:
        """The pool of the task's file."""
        if task.pool is None:
            raise TypeError(f"{task.name} has no pool")
        return task.pool(self._paths(task, split, language)[0], task, language)

    def languages(self, task: Task, split: Split) -> tuple[str, ...]:
        """The task's languages whose files are there."""
        return tuple(language for language in task.languages if self.has(task, split, language))

    def place(self, task: Task, split: Split, language: str) -> str:
        """The first file."""
        found = self.paths(task, split, language)
        return str(found[0] if found else self.folder)

    def names(self, task: Task, split: Split) -> bool:
        """Whether the task or the recipe names a file."""
        return bool(self.paths(task, split, task.english)) or (
            bool(task.parts) and all(self.names(part, split) for part in task.parts)
        )

    def has(self, task: Task, split: Split, language: str) -> bool:
        """Whether all of its files are there."""
        found = self.paths(task, split, language)
        return bool(found) and all(path.exists() for path in found)

    def paths(self, task: Task, split: Split, language: str) -> list[Path]:
        """The files of one split in one language, whether they exist or not."""
        named = self.files.get(task.name, {}).get(split)
        templates = task.paths(split) if named is None else [named] if isinstance(named, str) else named
        found = [self._path(template, language) for template in templates]
        if named is None and split in task.also and not all(path.exists() for path in found):
            other = self._path(task.also[split], language)
            return [other] if other.exists() else found
        return found

    def _path(self, template: str, language: str) -> Path:
        return self.folder / template.replace("{lang}", language)

    def _paths(self, task: Task, split: Split, language: str) -> list[Path]:
        found = self.paths(task, split, language)
        if not found:
            raise DataError(f"task {task.name} has no {split} file; name one under data.files.{task.name}.{split}")
        return found


@dataclass(frozen=True)
class HubSource:
    """The Hugging Face Hub, at pinned revisions."""

    revisions: Mapping[str, str] = field(default_factory=dict)
    """Commits by task, in the place of the newest."""
    streaming: bool = False

    def examples(
        self,
        task: Task,
        split: Split,
        language: str,
        *,
        translated: bool = False,
        left_out: LeftOut | None = None,
    ) -> Iterator[Any]:
        """Examples of the data set's rows."""
        if translated:
            raise DataError("translated training data is read from XTREME's files; use data.source: xtreme")
        if task.parts:
            parts = (self.examples(part, split, language, left_out=left_out) for part in task.parts)
            return chain.from_iterable(parts)
        if task.trained_on and not self.has(task, split, language):
            return self.examples(task.trained_on, split, task.trained_on.english, left_out=left_out)
        return read_examples(task, split, language, self._records(task, split, language), left_out)

    def pool(self, task: Task, split: Split, language: str) -> Pool:
        """Rows with `source` and `english`, such as Tatoeba's."""
        rows = [(r.text("source"), r.text("english")) for r in self._records(task, split, language)]
        queries = (Query(Passage(str(row), source), (str(row),)) for row, (source, _) in enumerate(rows))
        return Pool(tuple(queries), tuple(Passage(str(row), text) for row, (_, text) in enumerate(rows)))

    def languages(self, task: Task, split: Split) -> tuple[str, ...]:
        """All of the task's that the data set has."""
        if task.hub is None:
            return task.languages
        return tuple(code for code in task.languages if self.has(task, split, code))

    def place(self, task: Task, split: Split, language: str) -> str:
        """The data set."""
        return task.hub.id if task.hub else task.name

    def names(self, task: Task, split: Split) -> bool:
        """Whether the data set has such a split."""
        if task.parts or (task.trained_on and not self.has(task, split, task.english)):
            return all(self.names(part, split) for part in task.parts or (task.trained_on,) if part)
        return self.has(task, split, task.english)

    def pinned(self, tasks: Iterable[Task]) -> "HubSource":
        """The same at the commits that these tasks' data sets have now, or had when they were downloaded.

        Raises:
            DataError: the Hub cannot be reached and has not been before.
        """
        parts = [part for task in tasks for part in (*task.parts, task.trained_on, task) if part]
        commits = {
            part.name: resolve_revision(part.hub, self.revisions.get(part.name)) for part in parts if part.hub
        }
        return HubSource({**self.revisions, **commits}, self.streaming)

    def has(self, task: Task, split: Split, language: str) -> bool:
        """Whether the data set has it."""
        return task.hub is not None and split in task.hub.splits and language not in task.hub.lacks

    def _records(self, task: Task, split: Split, language: str) -> Iterator[Record]:
        if task.hub is None:
            raise DataError(f"task {task.name} is not on the Hub as Parquet; use data.source: xtreme or files")
        revision = self.revisions.get(task.name)
        return read_hub(task.hub, split, language, revision=revision, streaming=self.streaming)


@dataclass(frozen=True)
class Examples:
    """Examples that are read anew whenever they are gone through, so that a large file is never in memory."""

    read: Callable[[], Iterator[Any]]
    count: int
    chosen: NDArray[np.int64] | None = None
    """Which of them, ascending; None for all."""

    def __len__(self) -> int:
        return self.count if self.chosen is None else len(self.chosen)

    def __iter__(self) -> Iterator[Any]:
        if self.chosen is None:
            yield from self.read()
            return
        wanted = iter(self.chosen.tolist())
        following = next(wanted, None)
        for index, example in enumerate(self.read()):
            if index == following:
                yield example
                following = next(wanted, None)
            if following is None:
                return

    def select(self, indices: Iterable[int]) -> "Examples":
        """Some of them, in their order."""
        return Examples(self.read, self.count, np.array(sorted(indices), np.int64))
