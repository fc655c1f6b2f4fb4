"""Everything that a recipe names, found and read before the first byte is written."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lowres_stilts.errors import DataError, RecipeError
from lowres_stilts.recipe.schema import IntermediateSettings, Recipe, TrainSettings
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.tasks.load import Source, find_languages, find_task
from lowres_stilts.tasks.task import Split, Task

ENGLISH = "en"


@dataclass(frozen=True)
class TrainingSet:
    """A task with its English examples."""

    task: Task
    train: list[Any]
    dev: list[Any]


@dataclass(frozen=True)
class Material:
    """Tasks and examples of a run."""

    intermediate: TrainingSet | None
    target: Task
    target_set: TrainingSet | None
    """None for retrieval, which is not trained."""
    test: dict[str, list[Any]]
    """By language."""
    gold: dict[str, list[Any]]
    """Answers to the test examples."""

    @classmethod
    def of(cls, recipe: Recipe) -> "Material":
        """Reads everything.

        Raises:
            RecipeError: a task or language does not exist, or a phase cannot be trained.
            DataError: a file is missing or malformed.
        """
        target = find_task(recipe.target.task, recipe.tasks, "target.task")
        _check_target(recipe, target)
        intermediate = _intermediate_task(recipe)
        source = Source.of(recipe.data)
        languages = find_languages(recipe.evaluate.languages, target, source, recipe.evaluate.split)
        test = {
            language: source.load(target, recipe.evaluate.split, language)[: recipe.evaluate.limit]
            for language in languages
        }
        gold = {
            language: _gold(target, examples, source, recipe.evaluate.split, language)
            for language, examples in test.items()
        }
        return cls(
            intermediate=intermediate
            and _training_set(intermediate[0], source, intermediate[1].train, recipe.seed),
            target=target,
            target_set=None
            if target.family == "retrieval"
            else _training_set(target, source, recipe.target.train, recipe.seed),
            test=test,
            gold=gold,
        )


def _check_target(recipe: Recipe, target: Task) -> None:
    if target.family != "retrieval":
        return
    for key in ("module", "train"):
        if key in recipe.target.model_fields_set:
            raise RecipeError(f"target.{key}: {target.name} is retrieval, which is not trained; remove this key")
    if recipe.target.transfer == "continue":
        raise RecipeError(
            "target.transfer: continue trains on the target, but retrieval is not trained; use stack"
        )


def _intermediate_task(recipe: Recipe) -> tuple[Task, IntermediateSettings] | None:
    if recipe.intermediate is None or recipe.target.transfer == "none":
        return None
    task = find_task(recipe.intermediate.tasks[0], recipe.tasks, "intermediate.tasks")
    if task.family not in FAMILIES:
        raise RecipeError(f"intermediate.tasks: {task.name} is retrieval, which is not trained")
    return task, recipe.intermediate


def _training_set(task: Task, source: Source, settings: TrainSettings, seed: int) -> TrainingSet:
    train = source.load(task, "train", ENGLISH)
    _gold(task, train, source, "train", ENGLISH)
    order = np.random.default_rng(seed).permutation(len(train))
    if settings.holdout is None:
        dev = source.load(task, "dev", ENGLISH)
        _gold(task, dev, source, "dev", ENGLISH)
    else:
        held_out, order = np.split(order, [max(1, round(settings.holdout * len(train)))])
        dev = [train[index] for index in sorted(held_out)]
    train = [train[index] for index in sorted(order[: settings.limit])]
    if not train:
        raise DataError(f"task {task.name}: nothing is left to train on after holding out {settings.holdout}")
    return TrainingSet(task, train, dev[: settings.dev_limit])


def _gold(task: Task, examples: list[Any], source: Source, split: Split, language: str) -> list[Any]:
    if task.family == "retrieval":
        return list(range(len(examples)))
    gold = [FAMILIES[task.family].gold(example) for example in examples]
    if any(answer is None for answer in gold):
        path = source.paths(task, split, language)[0]
        raise DataError(f"{path}: example {gold.index(None) + 1} has no label; {split} needs them all")
    return gold
