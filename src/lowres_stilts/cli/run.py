"""`lowres-stilts run`: all phases of a recipe."""

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowres_stilts.cli.help import example
from lowres_stilts.cli.interrupt import interruptible

if TYPE_CHECKING:
    from lowres_stilts.api import Run
    from lowres_stilts.training.team import Team

WIDTH_OF_FILES = 100


@example("lowres-stilts run configs/quickstart.yaml -o runs/quickstart --set seed=7")
def run_command(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a YAML file.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The run folder; runs/NAME by default.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Overrides a key of the recipe; the value is YAML."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run stopped.")] = False,
    log: Annotated[
        list[str] | None,
        typer.Option(help="Also follow it in tensorboard, mlflow or wandb; several may be given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print results.json instead of a table.")] = False,
) -> None:
    """Trains the intermediate and the target phase, and evaluates zero-shot in every language.

    Several GPUs: accelerate launch --multi_gpu --num_processes 2 -m lowres_stilts run RECIPE
    """
    from lowres_stilts.libraries import quiet_libraries

    quiet_libraries()
    from lowres_stilts.training.team import joined

    with interruptible(), joined() as team:
        _run(recipe, output, overrides or [], log or [], resume=resume, as_json=as_json, team=team)


def _run(
    recipe: Path,
    output: Path | None,
    overrides: list[str],
    log: list[str],
    *,
    resume: bool,
    as_json: bool,
    team: "Team",
) -> None:
    from lowres_stilts.api import run
    from lowres_stilts.recipe import Recipe

    finished = run(Recipe.load(recipe, overrides), output, resume=resume, team=team, trackers=log)
    if not team.is_main:
        return
    if as_json:
        typer.echo(json.dumps(finished.results, indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else WIDTH_OF_FILES).print(finished.table())
    typer.echo(f"results: {finished.folder / 'results.json'}")
    typer.echo(f"report: {finished.report}")
    for line in _next_commands(finished):
        typer.echo(line, err=True)


def _next_commands(finished: "Run") -> list[str]:
    """What can be done with the run; nothing where it has no package."""
    if not finished.packages:
        return []
    folder, package = (shlex.quote(str(path)) for path in (finished.folder, [*finished.packages.values()][-1]))
    bundle = shlex.quote(str(Path("bundles") / finished.folder.resolve().name))
    return [
        "next:",
        f"  lowres-stilts predict {folder} FILE -o ANSWERS",
        f"  lowres-stilts evaluate {folder}",
        f"  lowres-stilts export {folder} -o {bundle}",
        f"  lowres-stilts hub push {package} OWNER/NAME --dry-run",
    ]
