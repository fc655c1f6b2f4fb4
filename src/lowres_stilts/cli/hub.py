"""`lowres-stilts hub`: adapter packages."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from lowres_stilts.errors import LowresStiltsError

app = typer.Typer(help="Adapter packages: list, show and verify them.", no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(help="A package, or for list a folder of packages.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_command(
    folder: Annotated[Path, typer.Argument(help="A folder of packages.")] = Path("adapters"), as_json: Json = False
) -> None:
    """Lists the packages of a folder, whether they are sound or not.

    Example: lowres-stilts hub list adapters
    """
    from lowres_stilts.errors import PackageError
    from lowres_stilts.hub.manifest import MANIFEST, read_manifest

    if not folder.is_dir():
        raise PackageError(f"{folder}: no such folder")
    rows: list[dict[str, Any]] = []
    for path in sorted(file.parent for file in folder.glob(f"*/{MANIFEST}")):
        try:
            manifest = read_manifest(path)
        except LowresStiltsError as error:
            rows.append({"folder": str(path), "error": str(error)})
            continue
        tasks = [task.name for task in manifest.tasks]
        rows.append({"folder": str(path), "name": manifest.name, "tasks": tasks, "base": manifest.base.id})
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for row in rows:
        typer.echo(row.get("error") or f"{row['name']:32} {', '.join(row['tasks']):24} {row['base']}")


@app.command("show")
def show_command(folder: Folder, as_json: Json = False) -> None:
    """Shows what a package is, how to load it, and its scores.

    Example: lowres-stilts hub show adapters/quickstart
    """
    from lowres_stilts.hub.card import model_card
    from lowres_stilts.hub.manifest import dump_manifest, read_manifest

    manifest = read_manifest(folder)
    typer.echo(dump_manifest(manifest) if as_json else model_card(manifest), nl=False)


@app.command("verify")
def verify_command(folder: Folder) -> None:
    """Checks every file of a package: sums, manifest, tensors, configuration.

    Example: lowres-stilts hub verify adapters/quickstart
    """
    from lowres_stilts.cli.libraries import quiet_libraries

    quiet_libraries()
    from lowres_stilts.hub.verify import open_package

    package = open_package(folder)
    tasks = ", ".join(task.name for task in package.manifest.tasks)
    typer.echo(f"{folder}: sound; {package.manifest.name}, rank {package.manifest.rank}, {tasks}")
