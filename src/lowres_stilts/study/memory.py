"""How much memory the steps of a study take: the planner's word, asked once for each setting."""

from collections.abc import Hashable

from lowres_stilts.errors import LowresStiltsError
from lowres_stilts.pipeline.hardware import Place, this_place
from lowres_stilts.pipeline.names import LANGUAGE
from lowres_stilts.pipeline.planner import peak_bytes, planned_phases
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.study.plan import Step
from lowres_stilts.tasks.load import find_task

DECIDES = {"tokens_per_batch", "tokens_at_once", "max_length", "fit", "gradient_checkpointing", "optimizer"}
"""What of the training settings memory depends on."""


class Scales:
    """Weighs steps; those that differ in sizes, seeds or rates only are weighed together."""

    def __init__(self) -> None:
        self._known: dict[Hashable, int | None] = {}
        self._places: dict[str, Place] = {}

    def peak_bytes(self, step: Step) -> int | None:
        """Most memory that a step takes on this machine; None where the model's configuration is not here."""
        recipe, section = step.recipe, _section(step)
        key = _setting(recipe, section)
        if key not in self._known:
            self._known[key] = self._weighed(recipe, section)
        return self._known[key]

    def _weighed(self, recipe: Recipe, section: str) -> int | None:
        from lowres_stilts.encoder.load import read_config  # noqa: PLC0415 - seconds

        device = recipe.model.device
        try:
            config = read_config(recipe.model.id, recipe.model.revision)
            place = self._places.setdefault(device, this_place(device))
            return peak_bytes(recipe, config, place, section)
        except LowresStiltsError:
            return None


def _section(step: Step) -> str:
    if step.phase is None:
        return "target"
    return "languages" if step.phase.startswith(LANGUAGE) else "intermediate"


def _setting(recipe: Recipe, section: str) -> Hashable:
    """Everything that the memory of a section depends on."""
    common = (section, recipe.model.model_dump_json(), recipe.evaluate.tokens_per_batch)
    for planned in planned_phases(recipe):
        if planned.section == section:
            modules = tuple(phase.settings.model_dump_json() for phase in planned.phases)
            last = planned.phases[-1]
            tasks = frozenset((task.family, len(task.labels), task.max_length) for task in planned.tasks)
            return (*common, modules, last.fuse is not None, last.train.model_dump_json(include=DECIDES), tasks)
    return (*common, find_task(recipe.target.task, recipe.tasks, "target.task").max_length)
