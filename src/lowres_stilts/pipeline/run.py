"""From a recipe to a run folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lowres_stilts.display import Display
from lowres_stilts.pipeline.folder import RunFolder, open_run
from lowres_stilts.pipeline.following import followed, require_trackers
from lowres_stilts.pipeline.material import Material
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.storage import using_cache
from lowres_stilts.training.team import ALONE, Team

if TYPE_CHECKING:
    from lowres_stilts.pipeline.given import GivenModule


@using_cache()
def run(
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    display: Display | None = None,
    team: Team = ALONE,
    trackers: Sequence[str] = (),
    given: Sequence["GivenModule"] = (),
) -> dict[str, Any]:
    """Runs all phases of a recipe and returns what it writes to `results.json`.

    Args:
        recipe: what to run.
        folder: the run folder; new or empty unless `resume` is set.
        resume: go on where an earlier run of the same recipe stopped; the scores are the same as without the
            interruption. A finished run returns its results at once.
        display: shows progress; on standard error by default.
        team: the processes that train together. Main alone writes, shows progress and returns results.
        trackers: what is told losses and scores as they come: `tensorboard`, `mlflow`, `wandb`.
        given: in main, the opened packages of `intermediate.package`; see `lowres_stilts.hub.intermediate`.

    Raises:
        LowresStiltsError: the recipe, the data, the model or the folder is at fault.
    """
    require_trackers(trackers)
    finished = team.from_main(lambda: RunFolder(folder).results() if resume else None)
    material = team.main_first(lambda: Material.of(recipe)) if finished is None else None
    if not team.is_main:
        return _follow(recipe, material, folder, team)
    with open_run(folder, recipe, resume=resume) as opened:
        if material is None:
            return finished or {}
        # torch takes seconds to import, and mistakes should not wait for it.
        from lowres_stilts.pipeline.arms import execute  # noqa: PLC0415

        shown = display or Display()
        with followed(opened, trackers, recipe, shown) as told:
            return execute(recipe, material, told, shown, team, given)


def _follow(recipe: Recipe, material: Material | None, folder: Path, team: Team) -> dict[str, Any]:
    """What a process other than main does."""
    if material is None:
        return {}
    from lowres_stilts.pipeline.arms import execute  # noqa: PLC0415

    return execute(recipe, material, RunFolder(folder, silent=True), Display(quiet=True), team)
