"""From a study to its store and its report."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lowres_stilts.display import Display
from lowres_stilts.errors import RunError
from lowres_stilts.extras import install_command
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.study.folder import StudyFolder, open_study
from lowres_stilts.study.load import Setting, dump_study
from lowres_stilts.study.plan import Plan, Step, make_plan
from lowres_stilts.study.schema import Study
from lowres_stilts.study.work import Outcome

EngineName = Literal["local", "ray"]


@dataclass(frozen=True)
class Finished:
    """What a study came to."""

    results: dict[str, Any]
    """The content of results.json."""
    failures: Mapping[str, tuple[str, str]]
    """Title and error of every step that failed, by key."""


def run_study(
    study: Study,
    recipes: Mapping[Setting, Recipe],
    path: Path,
    *,
    resume: bool = False,
    engine: EngineName = "local",
    workers: int | None = None,
    display: Display | None = None,
) -> Finished:
    """Does what is not done yet of a study, and writes its store, tables, figures and report.

    Args:
        study: what to do.
        recipes: those of its cells.
        path: the study folder; new or empty unless `resume` is set.
        resume: go on with a study that is there; what failed is tried again.
        engine: who does the work.
        workers: how many at once; as many as the machine has GPUs, or cores.
        display: shows progress; on standard error by default.

    Raises:
        LowresStiltsError: the study or the folder is at fault; what goes wrong in a cell is recorded instead.
    """
    shown = display or Display()
    if importlib.util.find_spec("duckdb") is None:
        raise RunError(f"a study's results are kept by DuckDB: {install_command('study')}")
    plan = make_plan(recipes)
    with open_study(path, dump_study(study), resume=resume) as folder:
        from lowres_stilts.study.store import Store  # noqa: PLC0415 - DuckDB is an extra

        with Store(folder.store) as store:
            store.set_cells(plan.cells)
            failures = _work(plan, folder, store, engine, workers, shown)
            store.set_failures(failures)
            from lowres_stilts.study.results import write_results  # noqa: PLC0415

            return Finished(write_results(study, plan, recipes, folder, store), failures)


def is_done(step: Step, folder: StudyFolder) -> bool:
    """Whether a step's files are there."""
    return (folder.phase(step.key) / "module" if step.phase else folder.result(step.key)).exists()


def _work(
    plan: Plan, folder: StudyFolder, store: Any, engine: EngineName, workers: int | None, display: Display
) -> dict[str, tuple[str, str]]:
    there = store.arms()
    done = {key for key, step in plan.steps.items() if is_done(step, folder)}
    for key in done - there:
        if plan.steps[key].phase is None:
            store.add_arm(key, folder.result(key))
    steps = {key: step for key, step in plan.steps.items() if key not in done}
    if not steps:
        return {}
    return _do(steps, plan, folder, store, engine, workers, display)


def _do(
    steps: Mapping[str, Step],
    plan: Plan,
    folder: StudyFolder,
    store: Any,
    engine: EngineName,
    workers: int | None,
    display: Display,
) -> dict[str, tuple[str, str]]:
    from lowres_stilts.study.engines import ENGINES, gpus  # noqa: PLC0415
    from lowres_stilts.study.schedule import do_steps  # noqa: PLC0415

    display.line(f"{len(plan.cells)} cells, {len(plan.steps)} steps, {len(plan.steps) - len(steps)} done before")
    opened = ENGINES[engine](workers)
    ended = 0
    try:
        with display.work(f"{opened.workers} at once") as advance:
            advance(0, len(steps), "starting")

            def told(step: Step, outcome: Outcome) -> None:
                nonlocal ended
                ended += 1
                if outcome.error is not None:
                    folder.log("step failed", key=step.key, step=step.title, error=outcome.error)
                    display.line(f"failed: {step.title}: {outcome.error}")
                elif step.phase is None:
                    store.add_arm(step.key, folder.result(step.key))
                advance(ended, len(steps), step.title)

            failed = do_steps(steps, opened, folder, told, threads=None if gpus() else 1)
    finally:
        opened.close()
    return {key: (plan.steps[key].title, error) for key, error in failed.items()}
