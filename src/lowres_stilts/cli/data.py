"""`lowres-stilts data check`: whether the data is sound."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lowres_stilts.tasks.check import DataReport

app = typer.Typer(help="Data folders.", no_args_is_help=True)


@app.callback()
def _data() -> None:
    """Data folders."""


@app.command("check")
def check_command(
    folder: Annotated[Path, typer.Argument(help="A data folder, such as XTREME's download folder.")],
    task: Annotated[
        list[str] | None, typer.Option(help="Look at this task only; may be given several times.")
    ] = None,
    model: Annotated[str, typer.Option(help="Whose tokenizer counts sub-words.")] = "starter:multilingual-minilm",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Reads a whole folder: counts, labels, lengths, overlaps with the training data, what is missing or broken.

    Example: lowres-stilts data check data/xtreme --task panx --task xnli
    """
    from lowres_stilts.errors import UsageError
    from lowres_stilts.tasks.catalog import REGISTRY

    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; name the one that XTREME's download script filled")
    if unknown := [name for name in task or [] if name not in REGISTRY]:
        raise UsageError(f"--task: unknown task {unknown[0]!r}; `lowres-stilts tasks` lists them")
    from lowres_stilts.libraries import quiet_libraries

    quiet_libraries()
    from lowres_stilts.encoder.load import load_tokenizer
    from lowres_stilts.tasks.check import check_folder

    tasks = [REGISTRY[name] for name in task] if task else list(REGISTRY.values())
    show = (lambda name: typer.echo(f"reading {name}", err=True)) if sys.stderr.isatty() else (lambda _: None)
    report = check_folder(folder, tasks, load_tokenizer(model), show)
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        _print(report, unused=not task)
    if report.malformed:
        raise typer.Exit(1)


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
        typer.echo("no file of any task is here")
