"""`lowres-stilts report`: a run, a study, or runs beside each other."""

from pathlib import Path
from typing import Annotated

import typer

from lowres_stilts.cli.help import example


@example("lowres-stilts report runs/xnli-small runs/pawsx-small -o comparison")
def report_command(
    folders: Annotated[list[Path], typer.Argument(help="A finished run, a study, or several runs to compare.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write; for one folder, into it by default.")
    ] = None,
) -> None:
    """Writes report.html, and its figures and tables as files."""
    from lowres_stilts.errors import UsageError

    if output is None and len(folders) > 1:
        raise UsageError("say with -o where to write a comparison")
    place = output or folders[0]
    from lowres_stilts.libraries import quiet_libraries

    quiet_libraries()
    from lowres_stilts.study.runs import write_report

    write_report(folders, place)
    typer.echo(f"report: {place / 'report.html'}")
