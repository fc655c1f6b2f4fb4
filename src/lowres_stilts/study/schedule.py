"""Gives the steps of a plan to an engine, each when those that it needs are done."""

from collections.abc import Callable, Mapping

from lowres_stilts.study.engines import Engine
from lowres_stilts.study.folder import StudyFolder
from lowres_stilts.study.plan import Step
from lowres_stilts.study.work import Order, Outcome


def do_steps(
    steps: Mapping[str, Step],
    engine: Engine,
    folder: StudyFolder,
    told: Callable[[Step, Outcome], object],
    *,
    threads: int | None,
) -> dict[str, str]:
    """Does all steps; one that fails takes those that need it along, and the rest goes on.

    Args:
        steps: by key, in an order in which each comes after those that it needs.
        engine: who does them.
        folder: where to.
        told: called when a step has ended, or cannot be begun.
        threads: of torch in each worker; its own choice where it is None.

    Returns:
        The error of each step that failed, by key.
    """
    failed: dict[str, str] = {}
    waiting = dict(steps)
    running: set[str] = set()
    while waiting or running:
        for key in [key for key, step in waiting.items() if not running.union(waiting).intersection(step.needs)]:
            step = waiting.pop(key)
            if lost := next((need for need in step.needs if need in failed), None):
                failed[key] = f"not begun, since {steps[lost].title} failed: {failed[lost]}"
                told(step, Outcome(key, failed[key]))
            else:
                engine.submit(_order(step, folder, threads))
                running.add(key)
        for outcome in engine.wait() if running else []:
            running.remove(outcome.key)
            if outcome.error is not None:
                failed[outcome.key] = outcome.error
            told(steps[outcome.key], outcome)
    return failed


def _order(step: Step, folder: StudyFolder, threads: int | None) -> Order:
    recipe = step.recipe.model_dump_json(exclude_unset=True)
    return Order(str(folder.path.absolute()), step.key, recipe, step.phase, dict(step.phases), threads)
