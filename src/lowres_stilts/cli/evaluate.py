"""`lowres-stilts evaluate`: a run or a package on a task."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowres_stilts.cli.help import example
from lowres_stilts.names import require_folder

if TYPE_CHECKING:
    from lowres_stilts.hub.verify import Package
    from lowres_stilts.recipe import Recipe
    from lowres_stilts.recipe.data import DataSettings

WIDTH_OF_FILES = 120
PHASES, PACKAGE_FOLDER = "phases", "package"
"""Of a run, and of a phase in it."""


@example("lowres-stilts evaluate runs/xnli-small --data data/xtreme --languages sw,ur --limit 100")
def evaluate_command(
    folder: Annotated[Path, typer.Argument(help="A finished run, or an adapter package.")],
    data: Annotated[
        Path | None, typer.Option(help="The data folder, if not that of the run's recipe; XTREME's for a package.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="xtreme, starter or hub, if not the source of the recipe.")
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="One of its tasks, or a retrieval task; by default a run's target.")
    ] = None,
    languages: Annotated[str, typer.Option(help="Languages with commas between, or all.")] = "all",
    split: Annotated[str, typer.Option(help="test or dev.")] = "test",
    limit: Annotated[int | None, typer.Option(min=1, help="The first n examples of each language.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print scores as JSON.")] = False,
) -> None:
    """Scores a trained module in the languages of a task."""
    from lowres_stilts.errors import PackageError, UsageError

    require_folder(folder, PackageError, "evaluate takes a finished run or an adapter package")
    if source is not None:
        data_settings(source, data)
    codes = listed(languages)
    if not codes:
        raise UsageError("--languages: name some, with commas between, or all")
    if split not in {"test", "dev"}:
        raise UsageError(f"--split: {split!r} is neither test nor dev")
    from lowres_stilts.libraries import quiet_libraries

    quiet_libraries()
    from lowres_stilts.hub.evaluate import evaluate_package
    from lowres_stilts.hub.pack import packages_of
    from lowres_stilts.hub.verify import open_package
    from lowres_stilts.pipeline.folder import RunFolder
    from lowres_stilts.tasks.load import open_source

    is_run = RunFolder(folder).is_run
    package = open_package(packages_of(folder)[-1] if is_run else folder)
    recipe = recipe_of(package)
    results = evaluate_package(
        package,
        open_source(data_settings(source, data, recipe.data), "name the data folder with --data"),
        task=recipe.target.task if is_run and task is None else task,
        languages="all" if codes == ["all"] else codes,
        split=split,  # type: ignore[arg-type]
        limit=limit,
        advance=lambda language: typer.echo(f"done: {language}", err=True),
        warn=lambda problem: typer.echo(f"warning: {problem}", err=True),
    )
    if as_json:
        typer.echo(json.dumps(results, indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    from lowres_stilts.evaluation.table import transfer_table

    Console(width=None if sys.stdout.isatty() else WIDTH_OF_FILES).print(transfer_table(results))


def listed(languages: str | None) -> list[str]:
    """The languages of an option that has commas, and maybe blanks, between them."""
    return [code.strip() for code in (languages or "").split(",") if code.strip()]


def recipe_of(package: "Package") -> "Recipe":
    """The recipe of a package; that of its run, which names the data folder, where it lies in one."""
    from lowres_stilts.pipeline.folder import RunFolder
    from lowres_stilts.recipe import Recipe

    folder = package.folder.absolute()
    in_run = folder.name == PACKAGE_FOLDER and folder.parent.parent.name == PHASES
    results = RunFolder(folder.parent.parent.parent).results() if in_run else None
    return Recipe.stored(package.manifest.recipe if results is None else results["recipe"], folder)


def data_settings(source: str | None, data: Path | None, own: "DataSettings | None" = None) -> "DataSettings":
    """Where the examples come from, by the options of the command line.

    Args:
        source: `--source`.
        data: `--data`.
        own: those of a recipe, for what the options do not say.

    Raises:
        UsageError: there is no such source, or it needs a folder.
    """
    from pydantic import ValidationError

    from lowres_stilts.errors import UsageError
    from lowres_stilts.recipe.data import DataSettings

    try:
        if own is not None:
            return own.moved(source, data)
        return DataSettings.model_validate({"source": source or "xtreme", "dir": data})
    except ValidationError as error:
        raise UsageError(f"--source, --data: {error.errors()[0]['msg']}") from error
