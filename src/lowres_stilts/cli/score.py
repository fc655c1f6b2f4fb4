"""`lowres-stilts score`: official scores of anybody's prediction files."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

WIDTH_OF_FILES = 100


def score_command(
    benchmark: Annotated[str, typer.Option("--benchmark", help="xtreme or xtreme-r.")],
    predictions: Annotated[
        Path, typer.Option("--predictions", help="The submission: TASK/test-LANG.tsv, or .json for answers.")
    ],
    references: Annotated[
        Path,
        typer.Option("--references", help="XTREME's label folder, or its download folder with labelled files."),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what XTREME's script computes; what is missing goes to stderr.")
    ] = False,
) -> None:
    """Scores a folder of predictions as the benchmark's own script does, complete or not.

    Example: lowres-stilts score --benchmark xtreme --predictions mine --references labels
    """
    from lowres_stilts.evaluation.benchmark import score_benchmark

    report = score_benchmark(benchmark, predictions, references)

    from lowres_stilts.evaluation.benchmark_table import benchmark_table, left_out

    if as_json:
        typer.echo(json.dumps(report.scores, indent=2, ensure_ascii=False))
    else:
        from rich.console import Console

        Console(width=None if sys.stdout.isatty() else WIDTH_OF_FILES).print(benchmark_table(benchmark, report))
    for line in left_out(report):
        typer.echo(line, err=as_json)
