"""`lowres-stilts tasks`: what there is."""

import json
from typing import Annotated

import typer


def tasks_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of objects.")] = False,
) -> None:
    """Lists the tasks that a recipe can name.

    Example: lowres-stilts tasks --json
    """
    from lowres_stilts.tasks.registry import REGISTRY

    if as_json:
        rows = [
            {
                "name": task.name,
                "family": task.family,
                "summary": task.summary,
                "languages": list(task.languages),
                "metric": task.metric,
                "labels": list(task.labels),
                "files": {str(split): path for split, path in task.files.items()},
                "licence": task.licence,
                "citation": task.citation,
            }
            for task in REGISTRY.values()
        ]
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for task in REGISTRY.values():
        count = len(task.languages)
        languages = f"{count} languages" if count > 1 else "English"
        typer.echo(f"{task.name:18} {task.family:16} {languages:13} {task.summary}")
