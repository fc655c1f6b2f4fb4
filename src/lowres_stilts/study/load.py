"""From a study's YAML file to its cells, each with a recipe of its own."""

import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lowres_stilts.errors import RecipeError
from lowres_stilts.pipeline.identity import lenient_source
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.recipe.values import Places, checked, read_values
from lowres_stilts.recipe.yaml_lines import Dumper, Key
from lowres_stilts.study.schema import Axes, Group, Study
from lowres_stilts.tasks.load import find_task

CELL_KEYS = ("model", "intermediate", "target", "size", "transfer", "module")
NONE = "none"
"""The intermediate "task" of those cells that are baselines only."""


@dataclass(frozen=True)
class Setting:
    """A cell's values on the axes."""

    model: str
    intermediate: str
    target: str
    size: int | None
    transfer: str
    module: str
    seed: int

    @property
    def without_seed(self) -> tuple[str, ...]:
        """What cells have in common that differ by their seeds only."""
        size = "" if self.size is None else str(self.size)
        return (self.model, self.intermediate, self.target, size, self.transfer, self.module)

    def fits(self, group: Group) -> bool:
        """Whether the names of a group are this cell's, languages aside."""
        own = dict(zip(CELL_KEYS, self.without_seed, strict=True))
        return all(not getattr(group, key) or value in getattr(group, key) for key, value in own.items())


def load_study(path: Path, overrides: Sequence[str] = ()) -> tuple[Study, dict[Setting, Recipe]]:
    """Reads and checks a study and the recipes of all its cells.

    Args:
        path: the YAML file.
        overrides: `a.b=value` with YAML values, applied in order.

    Raises:
        RecipeError: anything is wrong; the message has the key, and the line of the file.
    """
    values, places = read_values(path, overrides, "study")
    study = checked(Study, values, places, str(path))
    _require_known_names(study, places, str(path))
    return study, {setting: _recipe(study, setting, places, str(path)) for setting in _settings(study)}


def _require_known_names(study: Study, places: Places, source: str) -> None:
    """Groups name values of the axes."""
    axes = study.axes
    values = (
        axes.models,
        axes.intermediate,
        axes.targets,
        [str(size) for size in axes.sizes],
        axes.transfer,
        axes.modules,
    )
    known = dict(zip(CELL_KEYS, values, strict=True))
    groups: list[tuple[Key, Group]] = [(("exclude", n), group) for n, group in enumerate(study.exclude)]
    for number, claim in enumerate(study.claims):
        groups.append((("claims", number, "of"), claim.of))
        groups += [(("claims", number, "than"), claim.than)] if claim.than else []
    for key, group in groups:
        place = places.get(key, places.get(key[:2], source))
        for axis, names in known.items():
            if unknown := [name for name in getattr(group, axis) if name not in names]:
                where = ".".join(map(str, (*key, axis)))
                raise RecipeError(f"{place}: {where}: {unknown[0]!r} is no value of that axis: {', '.join(names)}")
        if key[0] == "exclude" and (group.language or group.resource):
            raise RecipeError(f"{place}: exclude leaves out cells, which have all languages; set axes.languages")


def dump_study(study: Study) -> str:
    """The study as YAML, defaults included."""
    return yaml.dump(study.model_dump(mode="json"), Dumper=Dumper, sort_keys=False, allow_unicode=True)


def _settings(study: Study) -> Iterator[Setting]:
    axes = study.axes
    sizes: list[int | None] = [*axes.sizes] or [None]
    grid = itertools.product(
        axes.models, axes.intermediate, axes.targets, sizes, axes.transfer, axes.modules, axes.seeds
    )
    for values in grid:
        setting = Setting(*values)
        if not any(setting.fits(group) for group in study.exclude):
            yield setting


def _recipe(study: Study, setting: Setting, places: Places, source: str) -> Recipe:
    """The base recipe with the changes of the cell's values; errors name the study's lines."""
    values, axes = copy.deepcopy(study.recipe), study.axes
    values.setdefault("name", study.name)
    values.setdefault("target", {})
    found: Places = {key[1:]: place for key, place in places.items() if key[:1] == ("recipe",)}
    size = {"intermediate": {"train": {"limit": setting.size}}} if setting.size else {}
    transfer = {"target": {"transfer": setting.transfer}}
    own: list[tuple[Key, Mapping[str, Any]]] = [
        (("axes", "models", setting.model), _merged({"model": {"id": setting.model}}, axes.models[setting.model])),
        (("axes", "intermediate", setting.intermediate), _intermediate(setting.intermediate, axes)),
        (
            ("axes", "targets", setting.target),
            _merged({"target": {"task": setting.target}}, axes.targets[setting.target]),
        ),
        (("axes", "sizes"), size),
        (("axes", "transfer", setting.transfer), _merged(transfer, axes.transfer[setting.transfer])),
        (("axes", "modules", setting.module), axes.modules[setting.module]),
        (("axes", "seeds"), {"seed": setting.seed}),
    ]
    for axis, changes in own:
        _change(values, changes)
        found = _moved(found, changes, places, axis)
    if setting.intermediate == NONE:
        values.pop("intermediate", None)
        values["target"]["transfer"] = "none"
    _leave_out_what_retrieval_has_not(values, found)
    try:
        _require_tasks(values, found, source)
        return _limited(checked(Recipe, values, found, source), study)
    except RecipeError as error:
        raise RecipeError(f"{error} (cell {', '.join(map(str, setting.without_seed))})") from None


def _require_tasks(values: Mapping[str, Any], found: Places, source: str) -> None:
    first = values.get("intermediate")
    if isinstance(first, dict) and "package" in first:
        place = found.get(("intermediate", "package"), source)
        raise RecipeError(
            f"{place}: intermediate.package: a study trains its intermediate phases; name tasks, or use `run`"
        )


def _intermediate(name: str, axes: Axes) -> dict[str, Any]:
    return {} if name == NONE else _merged({"intermediate": {"tasks": [name]}}, axes.intermediate[name])


def _merged(default: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """What a value says by its name, and the changes that it has."""
    _change(default, changes)
    return default


def _change(values: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Changes values, mapping by mapping; what is no mapping replaces what was there."""
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            _change(values[key], value)
        else:
            values[key] = copy.deepcopy(value)


def _moved(found: Places, changes: Mapping[str, Any], places: Places, axis: Key) -> Places:
    """The places of a recipe's keys after changes that stand below an axis."""
    whole = places.get(axis) or places.get(axis[:2]) or places.get(axis[:1], "")
    changed = {key: places.get((*axis, *key), whole) for key in _keys(changes, ())}
    kept = {
        key: place for key, place in found.items() if not any(key[: len(c)] == c for c in _leaves(changes, ()))
    }
    return kept | {key: place for key, place in changed.items() if place and key not in kept}


def _keys(values: Mapping[str, Any], above: Key) -> Iterator[Key]:
    for key, value in values.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from _keys(value, (*above, key))


def _leaves(values: Mapping[str, Any], above: Key) -> Iterator[Key]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key)


def _leave_out_what_retrieval_has_not(values: dict[str, Any], found: Places) -> None:
    """The recipe of a grid says how targets are trained; those that are not have no use for it."""
    custom = values.get("tasks") or {}
    name = values["target"].get("task")
    if name in custom:
        family = custom[name].get("family")
    else:
        try:
            family = find_task(str(name), {}, "target.task").family
        except RecipeError as error:
            raise RecipeError(f"{found.get(('target', 'task'), '')}: {error}".lstrip(": ")) from None
    if family == "retrieval":
        for key in ("module", "train"):
            values["target"].pop(key, None)


def _limited(recipe: Recipe, study: Study) -> Recipe:
    """The recipe in those of the study's languages that its target and the data folder have."""
    asked, own = study.axes.languages, recipe.evaluate.model_fields_set
    if isinstance(asked, str) or "languages" in own:
        return recipe
    target = find_task(recipe.target.task, recipe.tasks, "target.task")
    there = lenient_source(recipe).languages(target, recipe.evaluate.split) or target.languages
    chosen = [language for language in asked if language in there]
    evaluate = recipe.evaluate.model_copy(update={"languages": chosen or "all"})
    return recipe.model_copy(update={"evaluate": evaluate})
