"""`lowres-stilts data check`: whether the data is sound."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowres_stilts.errors import UsageError
from lowres_stilts.names import require_folder

if TYPE_CHECKING:
    from lowres_stilts.tasks.check import DataReport
    from lowres_stilts.tasks.source import FolderSource
    from lowres_stilts.tasks.task import Task

STARTER = "starter:multilingual-minilm"

app = typer.Typer(help="Data folders.", no_args_is_help=True)


@app.callback()
def _data() -> None:
    """Data folders."""


@app.command("check")
def check_command(
    place: Annotated[
        Path,
        typer.Argument(help="A data folder, such as XTREME's download folder, or a recipe."),
    ],
    task: Annotated[
        list[str] | None, typer.Option(help="Look at this task only; may be given several times.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Whose tokenizer counts sub-words; the recipe's model, or the starter.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Reads all files: counts, labels, lengths, overlaps with the training data, what is missing or broken.

    Example: lowres-stilts data check data/xtreme --task panx --task xnli
    """
    is_recipe = place.suffix in {".yaml", ".yml"} or place.is_file()
    source, known, tokenizer = _of_recipe(place) if is_recipe else _of_folder(place)
    if unknown := [name for name in task or [] if name not in known]:
        there = f"the recipe has {', '.join(known)}" if is_recipe else "`lowres-stilts tasks` lists them"
        raise UsageError(f"--task: unknown task {unknown[0]!r}; {there}")
    tasks = [known[name] for name in task or known]
    from lowres_stilts.libraries import quiet_libraries

    quiet_libraries()
    from lowres_stilts.encoder.load import load_tokenizer
    from lowres_stilts.tasks.check import check_folder

    show = (lambda name: typer.echo(f"reading {name}", err=True)) if sys.stderr.isatty() else (lambda _: None)
    report = check_folder(source, tasks, load_tokenizer(model or tokenizer), show, all_wanted=is_recipe)
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        _print(report, unused=not task and not is_recipe)
    if report.malformed or (is_recipe and report.missing) or not report.files:
        raise typer.Exit(1)


def _of_folder(folder: Path) -> tuple["FolderSource", dict[str, "Task"], str]:
    """The folder, all tasks, and whose tokenizer counts."""
    from lowres_stilts.tasks.catalog import REGISTRY
    from lowres_stilts.tasks.source import FolderSource

    require_folder(folder, UsageError, "name the one that XTREME's download script filled, or a recipe")
    return FolderSource(folder), dict(REGISTRY), STARTER


def _of_recipe(path: Path) -> tuple["FolderSource", dict[str, "Task"], str]:
    """The recipe's files, its tasks, and its model."""
    from lowres_stilts.recipe import Recipe
    from lowres_stilts.tasks.load import open_source, tasks_of
    from lowres_stilts.tasks.source import FolderSource

    recipe = Recipe.load(path)
    source = open_source(recipe.data)
    if not isinstance(source, FolderSource):
        raise UsageError(f"{path}: its data is on the Hub; data check reads files of this machine")
    return source, tasks_of(recipe), recipe.model.id


def _print(report: "DataReport", *, unused: bool) -> None:
    for found in report.files:
        pieces = found.pieces
        lengths = f"median {pieces['median']:.0f}, longest {pieces['longest']:.0f} pieces" if pieces else ""
        common = ", ".join(f"{label} {count}" for label, count in list(found.labels.items())[:4])
        typer.echo(f"{found.task:12} {found.split:5} {found.language:8} {found.examples:7} {lengths:34} {common}")
        for defect, count in found.left_out.items():
            typer.echo(f"    {count} more are left out: {defect}")
        if found.overlap:
            first = ", ".join(map(str, found.overlap_examples))
            typer.echo(f"    {found.overlap} of them are in the English training split (examples {first}, ...)")
        if found.error:
            typer.echo(f"    malformed: {found.error}")
    for line in report.without_answers:
        typer.echo(f"no answers: {line}")
    for title, names in (("missing", report.missing), ("of no task", report.unused if unused else [])):
        for name in names:
            typer.echo(f"{title}: {name}")
    if not report.files:
        typer.echo("no file of any task is here; to check files of your own, give the recipe that names them")
