"""`lowres-stilts tasks`: what there is."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lowres_stilts.tasks.task import Task


def tasks_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of objects.")] = False,
) -> None:
    """Lists the tasks that a recipe can name.

    Example: lowres-stilts tasks --json
    """
    from lowres_stilts.tasks.catalog import REGISTRY

    if as_json:
        rows = [_row(task) for task in REGISTRY.values()]
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for task in REGISTRY.values():
        count = len(task.languages)
        languages = f"{count} languages" if count > 1 else "English" if count else "any language"
        typer.echo(f"{task.name:18} {task.family:16} {languages:13} {task.summary}")


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
