"""From a task, a split and a language to examples."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lowres_stilts.data.starter import starter_data_dir
from lowres_stilts.errors import DataError, RecipeError
from lowres_stilts.recipe.schema import CustomTask, DataSettings
from lowres_stilts.tasks.classification import text_reader
from lowres_stilts.tasks.multiple_choice import choice_reader, parse_plain
from lowres_stilts.tasks.registry import REGISTRY
from lowres_stilts.tasks.retrieval import read_parallel
from lowres_stilts.tasks.tagging import read_tagged
from lowres_stilts.tasks.task import Reader, Split, Task

METRIC_OF_FAMILY = {
    "classification": "accuracy",
    "multiple_choice": "accuracy",
    "tagging": "span_f1",
    "retrieval": "accuracy",
}


@dataclass(frozen=True)
class Source:
    """A folder with the files of tasks, and the paths that the recipe puts in the place of theirs."""

    folder: Path
    files: Mapping[str, Mapping[Any, str | Sequence[str]]] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: DataSettings) -> "Source":
        """The source that a recipe names.

        Raises:
            DataError: its folder does not exist.
        """
        folder = starter_data_dir() if settings.source == "starter" else settings.dir or Path()
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder; set data.dir to the data (relative to where you are)")
        return cls(folder, settings.files)

    def paths(self, task: Task, split: Split, language: str) -> list[Path]:
        """The files of one split in one language, whether they exist or not."""
        templates = self.files.get(task.name, {}).get(split) or task.files.get(split) or []
        names = [templates] if isinstance(templates, str) else templates
        return [self.folder / name.replace("{lang}", language) for name in names]

    def load(self, task: Task, split: Split, language: str) -> list[Any]:
        """All examples of one split in one language.

        Raises:
            DataError: a file is missing, malformed or empty.
        """
        paths = self.paths(task, split, language)
        if not paths:
            raise DataError(f"task {task.name} has no {split} file; name one under data.files.{task.name}.{split}")
        examples = [example for path in paths for example in task.reader(path, task)]
        if not examples:
            raise DataError(f"{paths[0]}: no examples")
        return examples

    def languages(self, task: Task, split: Split) -> tuple[str, ...]:
        """The task's languages whose files are there."""
        return tuple(
            language
            for language in task.languages
            if (paths := self.paths(task, split, language)) and all(path.exists() for path in paths)
        )


def find_task(name: str, custom: Mapping[str, CustomTask], key: str) -> Task:
    """The task of this name, the recipe's own first.

    Raises:
        RecipeError: there is none.
    """
    if name in custom:
        return custom_task(name, custom[name])
    if name in REGISTRY:
        return REGISTRY[name]
    raise RecipeError(f"{key}: unknown task {name!r}{_suggest(name, [*REGISTRY, *custom])}")


def find_languages(asked: str | Sequence[str], task: Task, source: Source, split: Split) -> tuple[str, ...]:
    """The languages to evaluate in.

    Raises:
        RecipeError: a language is none of the task's.
        DataError: the data folder has none of its files.
    """
    if isinstance(asked, str):
        if present := source.languages(task, split):
            return present
        example = source.paths(task, split, task.languages[0])
        where = example[0] if example else source.folder
        raise DataError(f"{where}: no {split} file of task {task.name} in any of its languages")
    for language in asked:
        if language not in task.languages:
            known = ", ".join(task.languages)
            raise RecipeError(f"evaluate.languages: unknown language {language!r}; task {task.name} has {known}")
    return tuple(asked)


def custom_task(name: str, settings: CustomTask) -> Task:
    """The record of a task that a recipe describes."""
    readers: dict[str, Reader] = {
        "classification": text_reader("text", "label", pair="text_pair" if settings.pair else None),
        "multiple_choice": choice_reader(parse_plain),
        "tagging": read_tagged,
        "retrieval": read_parallel,
    }
    return Task(
        name=name,
        family=settings.family,
        summary="described by the recipe",
        languages=tuple(settings.languages),
        metric=METRIC_OF_FAMILY[settings.family],
        reader=readers[settings.family],
        labels=tuple(settings.labels),
        max_length=settings.max_length,
    )


def _suggest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else "; `lowres-stilts tasks` lists them"
