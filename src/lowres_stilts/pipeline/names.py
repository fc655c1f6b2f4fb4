"""Names of a run's phases, which are those of their folders and modules, and what follows from the recipe."""

from lowres_stilts.names import module_name, slug
from lowres_stilts.pipeline.modes import MODES
from lowres_stilts.recipe.module import ModuleSettings
from lowres_stilts.recipe.schema import Recipe

INTERMEDIATE, TARGET, BASELINE = "1-intermediate", "2-target", "2-target-baseline"
"""Several intermediate modules have a number and their task's name behind."""
LANGUAGE = "0-language"
"""Of language adapters: see `language_name`."""
SYSTEM_FOLDER, BASELINE_FOLDER = "predictions", "baseline-predictions"


def language_name(language: str) -> str:
    """The name of the phase that trains the adapter of a language."""
    return f"{LANGUAGE}-{module_name(language)}"


def intermediate_names(recipe: Recipe) -> list[str]:
    """Of the intermediate phases: one for all tasks, or one for each where their modules are fused or merged.

    A package stands for a phase that is done.
    """
    if recipe.intermediate is None or recipe.target.transfer == "none":
        return []
    if not MODES[recipe.target.transfer].apart:
        return [INTERMEDIATE]
    titles = [title.rpartition("/")[2] for title in recipe.intermediate.titles]
    return [f"{INTERMEDIATE}-{number}-{slug(title)}" for number, title in enumerate(titles, start=1)]


def target_module(recipe: Recipe) -> ModuleSettings:
    """What the target phase trains, which may be the intermediate module."""
    if MODES[recipe.target.transfer].continues and recipe.intermediate is not None:
        return recipe.intermediate.module
    return recipe.target.module
