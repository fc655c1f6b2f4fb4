"""Keys of phases: a hash of everything that decides what a phase makes, so that equal phases are trained once."""

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lowres_stilts.data.starter import starter_data_dir
from lowres_stilts.errors import DataError
from lowres_stilts.pipeline.hyperparameters import VERSION, is_chosen
from lowres_stilts.pipeline.modes import MODES
from lowres_stilts.pipeline.names import (
    BASELINE,
    LANGUAGE,
    TARGET,
    intermediate_names,
    language_name,
    target_module,
)
from lowres_stilts.recipe.model import ModelSettings
from lowres_stilts.recipe.module import ModuleSettings
from lowres_stilts.recipe.phases import IntermediateSettings
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.recipe.training import TrainSettings
from lowres_stilts.sums import sha256_of
from lowres_stilts.tasks.load import find_task
from lowres_stilts.tasks.source import FolderSource, HubSource, Source
from lowres_stilts.tasks.task import Split, Task

FORMAT = 2
"""Part of every key: a change of how phases are trained makes new ones."""
MISSING = "missing"
MODEL_FILES = ("config.json", "tokenizer.json", "*.safetensors", "*.safetensors.index.json")


def phase_keys(recipe: Recipe) -> dict[str, str]:
    """Keys of a recipe's phases by their names, in the order of training; those of both arms.

    Neither the names of phases and runs nor places on this machine are part of a key; the content of files is.

    Raises:
        RecipeError: there is no such task.
    """
    source, common = lenient_source(recipe), _common(recipe)
    keys: dict[str, str] = {}
    if recipe.languages is not None:
        mlm = find_task("mlm", {}, "languages")
        for language in recipe.languages.adapters:
            data = _data(source, mlm, recipe.languages.train, (language,))
            keys[language_name(language)] = _key(common, _module(recipe.languages.module), data)
    ground = [keys[language_name("en")]] if recipe.languages is not None else []
    names = intermediate_names(recipe)
    if recipe.intermediate is not None and names:
        tasks = [find_task(name, recipe.tasks, "intermediate.tasks") for name in recipe.intermediate.tasks]
        groups = [[task] for task in tasks] if len(names) == len(tasks) else [tasks]
        for name, group in zip(names, groups, strict=True):
            keys[name] = _key(common, ground, *_intermediate(recipe.intermediate, group, source))
    return keys | _target_keys(recipe, source, common, ground, [keys[name] for name in names])


def arm_key(recipe: Recipe, keys: Mapping[str, str]) -> str:
    """The key of a system's predictions: of its last phases and of what they are tested on.

    Args:
        recipe: with a baseline or without; only its system counts.
        keys: those of its phases.

    Raises:
        RecipeError: there is no such task.
    """
    target = find_task(recipe.target.task, recipe.tasks, "target.task")
    settings, source = recipe.evaluate, lenient_source(recipe)
    asked = target.languages if isinstance(settings.languages, str) else settings.languages
    splits: tuple[Split, ...] = ("dev", settings.split) if target.search == "mine" else (settings.split,)
    tests = {language: [_files(source, target, split, language) for split in splits] for language in asked}
    if isinstance(settings.languages, str):  # those that are there
        tests = {language: found for language, found in tests.items() if MISSING not in found[-1]}
    last = [keys[TARGET]] if TARGET in keys else [keys[name] for name in intermediate_names(recipe)]
    ground = {name: key for name, key in keys.items() if name.startswith(LANGUAGE)}
    how = settings.model_dump(include={"split", "limit", "tokens_per_batch", "retrieval"})
    # The bare encoder has no use for a seed.
    common = _common(recipe) if keys else [FORMAT, model_identity(recipe.model)]
    return _key(common, last, ground, target.name, target.metric, target.max_length, how, tests, *_layout(target))


def baseline_recipe(recipe: Recipe) -> Recipe:
    """The same without intermediate phase."""
    values = recipe.model_dump(mode="json", exclude={"intermediate"}, exclude_unset=True)
    values["target"] |= {"transfer": "none", "head": "new"}
    if MODES[recipe.target.transfer].continues:
        values["target"]["module"] = target_module(recipe).model_dump(mode="json", exclude_unset=True)
    return Recipe.model_validate(values)


def lenient_source(recipe: Recipe) -> Source:
    """The recipe's source, whether its folder is there or not."""
    settings = recipe.data
    if settings.source == "hub":
        return HubSource(settings.revisions, settings.streaming)
    folder = starter_data_dir() if settings.source == "starter" else settings.dir or Path()
    return FolderSource(folder, settings.files)


def _target_keys(
    recipe: Recipe, source: Source, common: Any, ground: Sequence[str], below: Sequence[str]
) -> dict[str, str]:
    target = find_task(recipe.target.task, recipe.tasks, "target.task")
    if target.family == "retrieval":
        return {}
    data = _target_data(recipe, source, target)
    own = (_module(target_module(recipe)), data)
    mode = recipe.target.transfer
    alone = _key(common, ground, *own)
    if mode == "none":
        return {TARGET: alone}
    settings = {"fuse": recipe.target.fuse, "merge": recipe.target.merge}.get(mode)
    how = settings.model_dump() if settings else recipe.target.options or None
    head = [recipe.target.head] if recipe.target.head != "new" else []  # keys are older than that
    stacked = _key(common, ground, *own, mode, list(below), how, *head)
    return {BASELINE: alone, TARGET: stacked}


def _target_data(recipe: Recipe, source: Source, target: Task) -> Any:
    """In English, unless the recipe names languages: keys are older than that."""
    train = TrainSettings.model_validate(recipe.target.train.model_dump(exclude={"languages"}))
    if (languages := recipe.target.train.languages) is None:
        return _data(source, target, train, (target.english,))
    dev = [_files(source, target, "dev", language) for language in languages]
    return [languages, *_data(source, target, train, languages), dev]


def _intermediate(settings: IntermediateSettings, tasks: Sequence[Task], source: Source) -> list[Any]:
    data = [
        _data(
            source,
            task,
            settings.train,
            tuple(settings.languages.get(task.name, (task.english,))),
            translated=task.name in settings.translated,
        )
        for task in tasks
    ]
    mix = settings.mix.model_dump() if len(tasks) > 1 or settings.mix.cap else None
    return [_module(settings.module), data, mix]


def _module(settings: ModuleSettings) -> dict[str, Any]:
    """Without the options of plug-ins where there are none: keys are older than those."""
    return settings.model_dump(exclude=set() if settings.options else {"options"})


def _common(recipe: Recipe) -> Any:
    return [FORMAT, model_identity(recipe.model), recipe.seed]


def model_identity(settings: ModelSettings) -> Any:
    """The settings of the encoder, with the content of a local folder in the place of its path."""
    values = settings.model_dump()
    folder = Path(settings.id)
    if folder.is_dir():
        files = sorted(path for pattern in MODEL_FILES for path in folder.glob(pattern))
        values["id"] = [(path.name, _content(path)) for path in files]
    return values


def _data(
    source: Source, task: Task, train: TrainSettings, languages: Iterable[str], *, translated: bool = False
) -> Any:
    record = [task.name, task.family, task.labels, task.max_length, task.metric, *_layout(task)]
    told = [_files(source, task, "train", language, translated=translated) for language in languages]
    how = train.model_dump()
    return [record, [how, VERSION] if is_chosen(train) else how, told, _files(source, task, "dev", task.english)]


def _layout(task: Task) -> list[Any]:
    """How its files are written, where a recipe says so: other keys are older than that."""
    return [dict(task.layout)] if task.layout else []


def _files(source: Source, task: Task, split: Split, language: str, *, translated: bool = False) -> Any:
    """Hashes of the files that a split is read from, or the commit of its data set."""
    if isinstance(source, HubSource):
        revision = source.revisions.get(task.name)
        parts = [_files(source, part, split, language) for part in task.parts]
        return [task.hub.id if task.hub else None, language, revision, parts]
    if not isinstance(source, FolderSource):
        raise DataError(f"task {task.name}: no files to make a key of")
    if translated:
        path = task.translated.path.replace("{lang}", language) if task.translated else ""
        return [_content(source.folder / path)]
    paths = source.paths(task, split, language)
    if task.parts and not paths:
        return [_files(source, part, split, language) for part in task.parts]
    if task.family == "retrieval":  # candidates and answers lie beside the queries
        paths = [other for path in paths for other in _beside(path)] or paths
    return [_content(path) for path in paths]


def _beside(path: Path) -> list[Path]:
    return sorted(other for other in path.parent.glob(f"{path.stem}*") if other.is_file())


def _content(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return MISSING
    return _hashed(path, status.st_mtime_ns, status.st_size) if path.is_file() else MISSING


@functools.lru_cache(maxsize=4096)
def _hashed(path: Path, changed: int, size: int) -> str:
    return sha256_of(path)


def _key(*parts: Any) -> str:
    text = json.dumps(parts, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:20]
