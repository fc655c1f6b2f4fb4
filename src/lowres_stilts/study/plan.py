"""What a study has to do: phases and arms, each once, however many cells share them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lowres_stilts.pipeline.identity import arm_key, baseline_recipe, phase_keys
from lowres_stilts.pipeline.modes import MODES
from lowres_stilts.pipeline.names import BASELINE, LANGUAGE, TARGET
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.study.load import Setting


@dataclass(frozen=True)
class Step:
    """One piece of work: a phase before the target's, or an arm with its target phase and predictions."""

    key: str
    """Of what it makes; by its content."""
    title: str
    recipe: Recipe
    phase: str | None
    """The name of the phase to train; None for an arm."""
    phases: Mapping[str, str] = field(default_factory=dict)
    """Keys of the recipe's phases by name."""
    needs: tuple[str, ...] = ()
    """Keys of the steps that come before."""


@dataclass(frozen=True)
class Cell:
    """A point of the grid: two arms to compare."""

    setting: Setting
    system: str
    """Key of the arm with the intermediate phase."""
    baseline: str
    """Key of the one without; the same where the cell is a baseline only."""


@dataclass(frozen=True)
class Plan:
    """The cells, and the steps in an order in which each comes after those that it needs."""

    cells: tuple[Cell, ...]
    steps: Mapping[str, Step]

    @property
    def shared(self) -> int:
        """Phases and arms that separate runs of all cells would do beside those of the plan."""
        trained = sum(1 + (cell.system != cell.baseline) for cell in self.cells)
        before = sum(
            len([key for name, key in self.steps[cell.system].phases.items() if key in self.steps])
            for cell in self.cells
        )
        return trained + before - len(self.steps)


def make_plan(recipes: Mapping[Setting, Recipe]) -> Plan:
    """Finds what the cells of a study share.

    Raises:
        RecipeError: a recipe names a task that does not exist.
    """
    steps: dict[str, Step] = {}
    cells = []
    for setting, recipe in recipes.items():
        alone = _arm(steps, baseline_recipe(recipe), f"{setting.target} alone, {_where(setting)}")
        if recipe.target.transfer == "none":
            system = alone
        else:
            title = f"{setting.target} after {setting.intermediate}, {_where(setting)}"
            system = _arm(
                steps, recipe, title, alone=alone if MODES[recipe.target.transfer].trains_baseline else None
            )
        cells.append(Cell(setting, system, alone))
    ordered = sorted(steps.values(), key=lambda step: step.phase is None)  # others wait for phases
    return Plan(tuple(cells), {step.key: step for step in ordered})


def _arm(steps: dict[str, Step], recipe: Recipe, title: str, *, alone: str | None = None) -> str:
    """Adds an arm and the phases that it needs, where they are not there yet."""
    phases = phase_keys(recipe)
    key = arm_key(recipe, phases)
    if key in steps:
        return key
    needs: list[str] = [alone] if alone else []
    for name, phase_key in phases.items():
        if name in {TARGET, BASELINE}:
            continue
        ground = tuple(k for n, k in phases.items() if n.startswith(LANGUAGE) and not name.startswith(LANGUAGE))
        told = f"{_told(recipe, name)}, {title.partition(', ')[2]}"
        steps.setdefault(phase_key, Step(phase_key, told, recipe, name, phases, ground))
        needs.append(phase_key)
    steps[key] = Step(key, title, recipe, None, phases, tuple(needs))
    return key


def _told(recipe: Recipe, name: str) -> str:
    if name.startswith(LANGUAGE):
        return f"language adapter {name.removeprefix(LANGUAGE + '-')}"
    if recipe.intermediate is None:
        return name
    return f"intermediate {' + '.join(recipe.intermediate.titles)}" + (f" ({name})" if name.count("-") > 1 else "")


def _where(setting: Setting) -> str:
    size = f"size {setting.size}, " if setting.size else ""
    return f"{size}{setting.model}, {setting.transfer}, {setting.module}, seed {setting.seed}"
