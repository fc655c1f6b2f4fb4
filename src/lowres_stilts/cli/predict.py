"""`lowres-stilts predict`: answers for a file, from a bundle, a package or a run."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowres_stilts.cli.help import example
from lowres_stilts.cli.interrupt import interruptible
from lowres_stilts.errors import PackageError, UsageError
from lowres_stilts.names import require_folder

if TYPE_CHECKING:
    from lowres_stilts.prediction.work import Order

FROM_STANDARD_INPUT = "-"


@example("lowres-stilts predict runs/names posts.txt -o posts.jsonl")
def predict_command(
    where: Annotated[Path, typer.Argument(help="A finished run, an adapter package, or a bundle.")],
    source: Annotated[
        str, typer.Argument(metavar="[INPUT]", help="The file; standard input by default, a text in each line.")
    ] = FROM_STANDARD_INPUT,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A file that is not there yet; standard output by default."),
    ] = None,
    output_format: Annotated[
        str | None,
        typer.Option(
            "--format", help="jsonl, tsv, conll, label-studio or doccano; by the output's name, or jsonl."
        ),
    ] = None,
    input_format: Annotated[
        str | None, typer.Option(help="text, tsv, csv, jsonl or conll, where the file's name does not say it.")
    ] = None,
    adapter: Annotated[str | None, typer.Option(help="Which one, of several.")] = None,
    column: Annotated[
        list[str] | None, typer.Option(metavar="OURS=NAME", help="The file's name of a column, as text=review.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Leaves out answers that are less likely.")
    ] = None,
    sort: Annotated[str | None, typer.Option(help="uncertainty: the least sure first.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it stopped.")] = False,
) -> None:
    """Answers every row of a file and keeps its columns and their order.

    Text has a row in each line; CSV and TSV have a header; JSON lines and CoNLL are as training takes them.
    """
    if sort not in {None, "uncertainty"}:
        raise UsageError(f"--sort: {sort!r} is not uncertainty")
    # Libraries take seconds to import, and mistakes should not wait for them.
    require_folder(where, PackageError, "predict takes a finished run, an adapter package or a bundle")
    from lowres_stilts.libraries import quiet_libraries

    quiet_libraries()
    from lowres_stilts.prediction.rows import STANDARD_INPUT, format_of
    from lowres_stilts.prediction.work import Order

    path = STANDARD_INPUT if source == FROM_STANDARD_INPUT else Path(source)
    order = Order(
        path,
        format_of(path, input_format),
        output_format or _by_name(output),
        _renamed(column or []),
        threshold,
        least_sure_first=sort is not None,
    )
    if output is None:
        _to_standard_output(order, where, adapter, resume=resume)
    else:
        with interruptible():
            _to_file(order, where, adapter, output, resume=resume)


def _to_file(order: "Order", where: Path, adapter: str | None, output: Path, *, resume: bool) -> None:
    from lowres_stilts.prediction.bundles import open_answerer
    from lowres_stilts.prediction.rows import STANDARD_INPUT, on_disk
    from lowres_stilts.prediction.work import answer_file

    if output.exists() and resume:
        typer.echo(f"{output} is there already", err=True)
        return
    if output.exists():
        raise UsageError(f"{output} is there already; choose another file or remove it")
    if resume and order.path == STANDARD_INPUT:
        raise UsageError("--resume: standard input cannot be read again; name a file")
    with on_disk(order.path, order.kind) as file:
        done = answer_file(replace(order, path=file), open_answerer(where, adapter), output, resume=resume)
    left = f", {done.left_out:,} of them without an answer" if done.left_out else ""
    typer.echo(f"{output}: {done.rows:,} rows{left}, {done.seconds:.1f} s", err=True)


def _to_standard_output(order: "Order", where: Path, adapter: str | None, *, resume: bool) -> None:
    from lowres_stilts.prediction.bundles import open_answerer
    from lowres_stilts.prediction.rows import opened_rows
    from lowres_stilts.prediction.work import answer_stream

    if resume or order.least_sure_first:
        raise UsageError("--resume and --sort want a file: name one with -o")
    answerer = open_answerer(where, adapter)
    with opened_rows(order.path, order.kind) as rows:
        try:
            answer_stream(order, rows, answerer, sys.stdout)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever reads has enough. Python would complain at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _by_name(output: Path | None) -> str:
    """The format that an output's name says, or JSON lines."""
    suffix = "" if output is None else output.suffix.lower().removeprefix(".")
    return {"tsv": "tsv", "conll": "conll"}.get(suffix, "jsonl")


def _renamed(columns: list[str]) -> dict[str, str]:
    """Our names of columns and the file's."""
    pairs = [column.partition("=") for column in columns]
    if wrong := next(
        (column for column, (ours, _, theirs) in zip(columns, pairs, strict=True) if not (ours and theirs)), None
    ):
        raise UsageError(f"--column: {wrong!r} is not OURS=NAME, such as text=review")
    return {ours: theirs for ours, _, theirs in pairs}
