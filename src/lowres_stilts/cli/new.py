"""`lowres-stilts new`: a recipe to begin with."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer


def new_command(
    recipe: Annotated[Path, typer.Argument(help="The file to write.")] = Path("quickstart.yaml"),
) -> None:
    """Writes a recipe that runs on the offline starter: a real model and real data, no hub, no GPU.

    Example: lowres-stilts new quickstart.yaml
    """
    from lowres_stilts.errors import UsageError
    from lowres_stilts.extras import install_command
    from lowres_stilts.storage import write_text

    if recipe.is_dir():
        raise UsageError(f"{recipe} is a folder; a file is wanted")
    if recipe.exists():
        raise UsageError(f"{recipe} exists already; name another file")
    write_text(recipe, files("lowres_stilts.recipe").joinpath("quickstart.yaml").read_text(encoding="utf-8"))
    typer.echo(f"{recipe}: run it with `lowres-stilts run {recipe}`, after {install_command('starter')}")
