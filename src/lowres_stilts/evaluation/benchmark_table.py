"""A benchmark's scores for a terminal, and the lines that say what is not in them."""

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.table import Table

from lowres_stilts.evaluation.benchmark import BENCHMARKS, BenchmarkReport
from lowres_stilts.evaluation.benchmark_tasks import TASKS


def benchmark_table(name: str, report: BenchmarkReport) -> Table:
    """A row for each task that has a score, then the groups that are complete."""
    title = f"{name}: averages over languages, in points"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("task", no_wrap=True)
    for column in ("languages", "score"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("of which")
    benchmark = BENCHMARKS[name]
    for task in benchmark.tasks:
        if scores := report.scores.get(task):
            figures = TASKS[task].figures
            done = f"{len(scores[figures[0]])}/{len(report.languages[task])}"
            parts = ", ".join(f"{figure.replace('_', ' ')} {scores[f'avg_{figure}']:.2f}" for figure in figures)
            table.add_row(task, done, f"{scores['avg_metric']:.2f}", parts)
    groups = [group for group in (*benchmark.groups, "all_task") if group in report.scores]
    if groups:
        table.add_section()
    for group in groups:
        table.add_row(group, "", f"{report.scores[group]:.2f}")
    return table


def left_out(report: BenchmarkReport) -> Iterator[str]:
    """Lines that list the files that are missing, by task, and those that could not be used."""
    by_task: dict[str, list[str]] = {}
    for file in report.missing:
        by_task.setdefault(file.partition("/")[0], []).append(file)
    for files in by_task.values():
        yield f"missing: {', '.join(files)}"
    for line in report.withheld():
        yield f"no answers: {line}"
    for line in report.unusable:
        yield f"not used: {line}"
