"""`lowres-stilts hub`: adapter packages."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lowres_stilts.errors import LowresStiltsError

if TYPE_CHECKING:
    from lowres_stilts.hub.verify import Package

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
def verify_command(
    folder: Folder,
    scores: Annotated[bool, typer.Option("--scores", help="Also measure its scores again and compare.")] = False,
    data: Annotated[Path | None, typer.Option(help="With --scores: the data folder.")] = None,
    source: Annotated[str, typer.Option(help="With --scores: xtreme, starter or hub.")] = "xtreme",
) -> None:
    """Checks every file of a package: sums, manifest, tensors, configuration; and its scores if asked to.

    Example: lowres-stilts hub verify adapters/ner --scores --data ../shared/data
    """
    from lowres_stilts.cli.libraries import quiet_libraries

    quiet_libraries()
    from lowres_stilts.hub.verify import open_package

    package = open_package(folder)
    tasks = ", ".join(task.name for task in package.manifest.tasks)
    typer.echo(f"{folder}: sound; {package.manifest.name}, rank {package.manifest.rank}, {tasks}")
    if scores:
        _verify_scores(package, source, data)


def _verify_scores(package: "Package", source: str, data: Path | None) -> None:
    from lowres_stilts.cli.evaluate import data_settings
    from lowres_stilts.errors import PackageError
    from lowres_stilts.hub.evaluate import measure_again
    from lowres_stilts.tasks.load import open_source

    found = measure_again(
        package,
        open_source(data_settings(source, data)),
        lambda language: typer.echo(f"done: {language}", err=True),
    )
    for language, (written, now, inside) in found.items():
        verdict = "" if inside else "  outside the interval"
        typer.echo(f"{language:8} card {written:6.1f}  now {now:6.1f}{verdict}")
    if wrong := [language for language, (_, _, inside) in found.items() if not inside]:
        raise PackageError(f"{package.folder}: scores outside the card's interval in {', '.join(wrong)}")
