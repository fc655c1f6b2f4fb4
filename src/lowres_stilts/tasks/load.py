"""From the names in a recipe to tasks, languages and sources."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from lowres_stilts.data.formats import read_json
from lowres_stilts.data.own_tables import Layout
from lowres_stilts.data.squad import read_squad
from lowres_stilts.data.starter import starter_data_dir
from lowres_stilts.errors import DataError, RecipeError
from lowres_stilts.names import require_folder
from lowres_stilts.recipe.data import CustomTask, DataSettings
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.choices import parse_plain
from lowres_stilts.tasks.classification import parse_text
from lowres_stilts.tasks.own_files import own_json, own_tagged, own_texts
from lowres_stilts.tasks.qa import parse_squad
from lowres_stilts.tasks.retrieval import read_parallel
from lowres_stilts.tasks.source import FolderSource, HubSource, Source
from lowres_stilts.tasks.tagging import parse_tagged
from lowres_stilts.tasks.task import FamilyName, Parser, Reader, Split, Task

METRIC_OF_FAMILY: Mapping[FamilyName, str] = {
    "classification": "accuracy",
    "multiple_choice": "accuracy",
    "tagging": "span_f1",
    "qa": "squad",
    "retrieval": "accuracy",
}
WRITTEN = {"columns", "delimiter", "header", "quoting", "label_names"}
"""What a recipe says of how files are written."""


def open_source(
    settings: DataSettings, remedy: str = "set data.dir to the data (relative to where you are)"
) -> Source:
    """The source that a recipe names.

    Args:
        settings: the recipe's.
        remedy: what to do where its folder does not exist.

    Raises:
        DataError: its folder does not exist.
    """
    if settings.source == "hub":
        return HubSource(settings.revisions, settings.streaming)
    folder = starter_data_dir() if settings.source == "starter" else settings.dir or Path()
    require_folder(folder, DataError, remedy)
    return FolderSource(folder, settings.files)


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


def tasks_of(recipe: Recipe) -> dict[str, Task]:
    """All tasks that a recipe names, by name, with the languages and splits that a run of it reads.

    Raises:
        RecipeError: one does not exist.
    """
    found: list[Task] = []
    if recipe.languages is not None:
        found.append(replace(find_task("mlm", {}, "languages"), languages=tuple(recipe.languages.adapters)))
    if recipe.intermediate is not None and recipe.target.transfer != "none":
        named = [find_task(name, recipe.tasks, "intermediate.tasks") for name in recipe.intermediate.tasks]
        trained = [part for task in named for part in task.parts or (task,)]
        found += [replace(task, files={s: p for s, p in task.files.items() if s != "test"}) for task in trained]
    target = find_task(recipe.target.task, recipe.tasks, "target.task")
    asked = recipe.evaluate.languages
    found.append(target if isinstance(asked, str) else replace(target, languages=tuple(asked)))
    return {task.name: task for task in found}


def find_languages(asked: str | Sequence[str], task: Task, source: Source, split: Split) -> tuple[str, ...]:
    """The languages to evaluate in.

    Raises:
        RecipeError: a language is none of the task's.
        DataError: the source has none of its files.
    """
    if isinstance(asked, str):
        if present := source.languages(task, split):
            return present
        where = source.place(task, split, task.languages[0])
        raise DataError(
            f"{where}: no {split} file of task {task.name} in any of its languages; name them under "
            f"data.files.{task.name}.{split}"
        )
    for language in asked:
        if language not in task.languages:
            known = ", ".join(task.languages)
            raise RecipeError(f"evaluate.languages: unknown language {language!r}; task {task.name} has {known}")
    return tuple(asked)


def custom_task(name: str, settings: CustomTask) -> Task:
    """The record of a task that a recipe describes."""
    fields = ("text", "text_pair") if settings.pair else ("text",)
    layout = Layout(settings.columns, settings.delimiter, settings.header, settings.quoting)
    layouts: dict[FamilyName, tuple[Reader, Parser]] = {
        "classification": (own_texts(fields, layout, {*settings.labels, *settings.label_names}), parse_text),
        "multiple_choice": (own_json(read_json, layout), parse_plain),
        "tagging": (own_tagged(layout, settings.labels), parse_tagged),
        "qa": (own_json(read_squad, layout), parse_squad),
    }
    reader, parser = layouts.get(settings.family, (None, None))
    return Task(
        name=name,
        family=settings.family,
        summary="described by the recipe",
        languages=tuple(settings.languages),
        metric=METRIC_OF_FAMILY[settings.family],
        reader=reader,
        parser=parser,
        pool=partial(read_parallel, layout=layout) if settings.family == "retrieval" else None,
        fields=fields,
        labels=tuple(settings.labels),
        label_names=_label_names(settings),
        max_length=settings.max_length,
        licence=settings.licence,
        layout=settings.model_dump(include=WRITTEN, exclude_defaults=True),
    )


def _label_names(settings: CustomTask) -> dict[str, str]:
    """Other spellings of labels; that of a type of entity stands for its two tags."""
    names = dict(settings.label_names)
    for theirs, ours in settings.label_names.items():
        names |= {
            f"{prefix}-{theirs}": f"{prefix}-{ours}" for prefix in "BI" if f"{prefix}-{ours}" in settings.labels
        }
    return names


def _suggest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else "; `lowres-stilts tasks` lists them"
