"""`lowres-stilts tasks`: what there is."""

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lowres_stilts.errors import UsageError

if TYPE_CHECKING:
    from lowres_stilts.tasks.task import Task

SAME_LANGUAGE = 14
"""The largest of CLDR's distances that counts: Ayacucho Quechua (`quy`) is so far from Quechua (`qu`)."""


def tasks_command(
    language: Annotated[
        str, typer.Option(metavar="CODE", help="Only tasks with this language, in any of its codes: sw, swh, swa.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of objects.")] = False,
) -> None:
    """Lists the tasks that a recipe can name.

    Example: lowres-stilts tasks --language sw
    """
    from lowres_stilts.tasks.catalog import REGISTRY

    if language:
        _require_code(language)
    tasks = [task for task in REGISTRY.values() if not language or _found(task, language)]
    if not tasks:
        raise UsageError(
            f"--language {language}: no task has it; a labelled file of your own is a task, too: "
            "see docs/your-own-files.md"
        )
    if as_json:
        typer.echo(json.dumps([_row(task) for task in tasks], indent=2, ensure_ascii=False))
        return
    for task in tasks:
        languages = ", ".join(_found(task, language)) if language else _count(task)
        typer.echo(f"{task.name:18} {task.family:16} {languages:13} {task.summary}")


def _require_code(language: str) -> None:
    import langcodes

    if not langcodes.tag_is_valid(language):
        raise UsageError(f"--language {language}: no code of a language, such as sw, swh or swh_Latn")


def _found(task: "Task", language: str) -> list[str]:
    """Its codes of a language, or of one that its readers understand: `sw` is `swh_Latn`, and `qu` is `quy`."""
    return [code for code in task.languages if _distance(code, language) <= SAME_LANGUAGE]


@cache
def _distance(one: str, other: str) -> int:
    """How well readers of the one read the other, by CLDR: 0 is the same language, 10 Egyptian to other Arabic."""
    import langcodes

    first, second = (re.split("[-_]", code)[0] for code in (one, other))
    return min(langcodes.tag_distance(first, second), langcodes.tag_distance(second, first))


def _count(task: "Task") -> str:
    count = len(task.languages)
    return f"{count} languages" if count > 1 else "English" if count else "any language"


def _row(task: "Task") -> dict[str, Any]:
    files = {part.name: part.files for part in task.parts} if task.parts else task.files
    return {
        "name": task.name,
        "family": task.family,
        "summary": task.summary,
        "languages": list(task.languages),
        "metric": task.metric,
        "text_fields": list(task.fields),
        "labels": list(task.labels),
        "files": {
            str(key): value if isinstance(value, str | tuple) else dict(value) for key, value in files.items()
        },
        "translated": task.translated.path if task.translated else None,
        "hub": None
        if task.hub is None
        else {"id": task.hub.id, "config": task.hub.config, "revision": task.hub.revision},
        "public_labels": task.public_labels,
        "licence": task.licence,
        "citation": task.citation,
    }
