"""`lowres-stilts tasks`: what there is."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lowres_stilts.tasks.task import Task


def tasks_command(
    language: Annotated[
        str, typer.Option(metavar="CODE", help="Only tasks with a language whose code begins so, and which.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of objects.")] = False,
) -> None:
    """Lists the tasks that a recipe can name.

    Example: lowres-stilts tasks --language sw
    """
    from lowres_stilts.tasks.catalog import REGISTRY

    tasks = [task for task in REGISTRY.values() if not language or _found(task, language)]
    if as_json:
        typer.echo(json.dumps([_row(task) for task in tasks], indent=2, ensure_ascii=False))
        return
    for task in tasks:
        languages = ", ".join(_found(task, language)) if language else _count(task)
        typer.echo(f"{task.name:18} {task.family:16} {languages:13} {task.summary}")


def _found(task: "Task", language: str) -> list[str]:
    """Its languages whose codes begin so: `sw` is `swh_Latn`, too."""
    return [code for code in task.languages if code.startswith(language)]


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
