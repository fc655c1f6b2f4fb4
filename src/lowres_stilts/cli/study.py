"""`lowres-stilts study`: a grid of runs and its report."""

import json
from pathlib import Path
from typing import Annotated

import typer

from lowres_stilts.cli.help import example
from lowres_stilts.cli.interrupt import interruptible


@example("lowres-stilts study configs/studies/phang2020-small.yaml -o studies/phang --set recipe.data.dir=data")
def study_command(
    study: Annotated[Path, typer.Argument(help="The study, a YAML file.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The study folder; studies/NAME by default.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Overrides a key of the study; the value is YAML."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan with its time and memory, and do nothing.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the study stopped.")] = False,
    engine: Annotated[str, typer.Option(help="local: processes of this machine; ray: a Ray cluster.")] = "local",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Steps at once; by default one for each GPU, or each core.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan or results.json.")] = False,
) -> None:
    """Runs a grid of models, intermediate tasks, targets, sizes and seeds, sharing what its cells have in common.

    Writes study.duckdb, results.json, report.html, figures and tables. What fails is recorded, the rest goes on,
    and the exit code is 1.
    """
    from lowres_stilts.errors import UsageError
    from lowres_stilts.names import file_name
    from lowres_stilts.study.load import load_study

    loaded, recipes = load_study(study, overrides or [])
    if engine not in {"local", "ray"}:
        raise UsageError(f"--engine: {engine!r} is neither local nor ray")
    folder = output or Path("studies") / file_name(loaded.name)
    from lowres_stilts.libraries import quiet_libraries

    quiet_libraries()
    if dry_run:
        from lowres_stilts.display import tell_waiting
        from lowres_stilts.study.estimate import estimate_plan, plan_lines

        tell_waiting(f"counting the work of {len(recipes)} combinations")

        told = estimate_plan(recipes, folder, workers)
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False) if as_json else "\n".join(plan_lines(told)))
        return
    from lowres_stilts.study.run import run_study

    with interruptible():
        finished = run_study(loaded, recipes, folder, resume=resume, engine=engine, workers=workers)  # type: ignore[arg-type]
    if as_json:
        typer.echo(json.dumps(finished.results, indent=2, ensure_ascii=False))
    else:
        for line in finished.results["headline"]:
            typer.echo(line)
        typer.echo(f"report: {folder / 'report.html'}")
    if finished.failures:
        typer.echo(
            f"{len(finished.failures)} steps failed; the report and {folder / 'log.jsonl'} name them", err=True
        )
        raise typer.Exit(1)
