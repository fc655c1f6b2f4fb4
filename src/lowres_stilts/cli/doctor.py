"""`lowres-stilts doctor`: whether this machine can do it."""

import json
from typing import Annotated

import typer


def doctor_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of objects.")] = False,
) -> None:
    """Checks Python, torch, CUDA, bitsandbytes, disk, hub login and threads: each is ok, or what to do.

    Exit code 1 where something is missing that training needs.

    Example: lowres-stilts doctor --json
    """
    from lowres_stilts.libraries import quiet_libraries

    quiet_libraries()
    from lowres_stilts.cli.checkup import checkup

    findings = checkup()
    if as_json:
        typer.echo(
            json.dumps([{"name": f.name, "status": f.status, "detail": f.detail} for f in findings], indent=2)
        )
    else:
        for finding in findings:
            typer.echo(f"{finding.name:14} {finding.status:8} {finding.detail}")
    if any(finding.status == "failed" for finding in findings):
        raise typer.Exit(1)
