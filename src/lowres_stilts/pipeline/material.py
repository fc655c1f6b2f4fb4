"""Everything that a recipe names, found and read before the first byte is written."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lowres_stilts.data.examples import Pool
from lowres_stilts.errors import DataError, RecipeError
from lowres_stilts.evaluation.transfer import ENGLISH_CODES
from lowres_stilts.pipeline.kept_head import TrainedHead, head_to_keep
from lowres_stilts.pipeline.modes import MODES
from lowres_stilts.pipeline.training_set import TrainingSet, english_of, training_set
from lowres_stilts.recipe.phases import IntermediateSettings
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.tasks.families import DECODERS, FAMILIES
from lowres_stilts.tasks.load import find_languages, find_task, open_source
from lowres_stilts.tasks.mix import examples_per_epoch
from lowres_stilts.tasks.reading import LeftOut
from lowres_stilts.tasks.source import HubSource, Source
from lowres_stilts.tasks.task import Task


@dataclass(frozen=True)
class Material:
    """Tasks and examples of a run."""

    languages: Mapping[str, TrainingSet]
    """Plain text by language, for language adapters."""
    intermediate: tuple[TrainingSet, ...]
    """Empty where there is no intermediate phase."""
    target: Task
    target_set: TrainingSet | None
    """None for retrieval, which is not trained."""
    test: Mapping[str, Sequence[Any] | Pool]
    """By language."""
    gold: Mapping[str, list[Any]]
    """Answers to the test examples, by language; a language whose answers are not public is not there."""
    tuning: Mapping[str, Pool]
    """Dev pools by language, where mining has a threshold to tune."""
    revisions: Mapping[str, str]
    """Commits of the Hub's data sets, by task."""
    left_out: LeftOut
    """How many examples known defects of published sets make useless."""

    @property
    def without_answers(self) -> list[str]:
        """Languages that get predictions and no score."""
        return [language for language in self.test if language not in self.gold]

    @classmethod
    def of(cls, recipe: Recipe, *, first_phases: bool = True) -> "Material":
        """Reads everything.

        Args:
            recipe: what names it.
            first_phases: also what comes before the target phase; not wanted where that is trained already.

        Raises:
            RecipeError: a task or language does not exist, or a phase cannot be trained.
            DataError: a file is missing or malformed.
        """
        target = find_task(recipe.target.task, recipe.tasks, "target.task")
        _check_target(recipe, target)
        _check_packages(recipe)
        phase = recipe.intermediate if first_phases and recipe.target.transfer != "none" else None
        tasks = _intermediate_tasks(recipe, phase)
        source = open_source(recipe.data)
        if isinstance(source, HubSource):
            source = source.pinned([*tasks, target])
        languages = find_languages(recipe.evaluate.languages, target, source, recipe.evaluate.split)
        left_out: LeftOut = Counter()
        test = {language: _test(recipe, target, source, language, left_out) for language in languages}
        target_set = None
        if target.family != "retrieval":
            target_set = _target_set(recipe, target, source, left_out)
        first = _mixed(phase, tasks, source, recipe.seed, left_out) if phase else ()
        if target_set is not None and first and recipe.target.head == "keep":
            _check_head(recipe, target_set.task, first)
        return cls(
            languages=_texts(recipe, source, left_out) if first_phases else {},
            intermediate=first,
            target=target_set.task if target_set else target,
            target_set=target_set,
            test=test,
            gold={language: gold for language, found in test.items() if (gold := answers_of(target, found))},
            tuning=_tuning(recipe, target, source, languages),
            revisions=source.revisions if isinstance(source, HubSource) else {},
            left_out=left_out,
        )


def first_phase_sets(recipe: Recipe) -> tuple[dict[str, TrainingSet], tuple[TrainingSet, ...]]:
    """Texts by language, and the intermediate tasks' training sets: what is trained before the target phase.

    Raises:
        RecipeError: a task does not exist or cannot be trained.
        DataError: a file is missing or malformed.
    """
    phase = None if recipe.target.transfer == "none" else recipe.intermediate
    tasks = _intermediate_tasks(recipe, phase)
    source = open_source(recipe.data)
    if isinstance(source, HubSource):
        source = source.pinned(tasks)
    left_out: LeftOut = Counter()  # told by the run or the step that scores
    texts = _texts(recipe, source, left_out)
    return texts, _mixed(phase, tasks, source, recipe.seed, left_out) if phase else ()


def read_tests(recipe: Recipe, languages: Sequence[str]) -> tuple[Task, dict[str, Sequence[Any] | Pool]]:
    """The target and its test examples in some languages, as a run has them.

    Raises:
        RecipeError: the task does not exist.
        DataError: a file is missing or malformed.
    """
    target, source = find_task(recipe.target.task, recipe.tasks, "target.task"), open_source(recipe.data)
    if isinstance(source, HubSource):
        source = source.pinned([target])
    return target, {language: _test(recipe, target, source, language, Counter()) for language in languages}


def _texts(recipe: Recipe, source: Source, left_out: LeftOut) -> dict[str, TrainingSet]:
    if recipe.languages is None:
        return {}
    mlm = find_task("mlm", {}, "languages")
    return {
        language: training_set(mlm, source, recipe.languages.train, recipe.seed, (language,), left_out)
        for language in recipe.languages.adapters
    }


def _check_target(recipe: Recipe, target: Task) -> None:
    if target.family == "mlm":
        raise RecipeError("target.task: mlm is an intermediate task only; there is nothing to evaluate")
    if target.family != "retrieval":
        _check_kinds(recipe)
        return
    if recipe.target.head == "keep":
        raise RecipeError(f"target.head: {target.name} is retrieval, which has no head; remove this key")
    for key in ("module", "train"):
        if key in recipe.target.model_fields_set:
            raise RecipeError(f"target.{key}: {target.name} is retrieval, which is not trained; remove this key")
    if not MODES[recipe.target.transfer].for_retrieval:
        raise RecipeError(
            f"target.transfer: {recipe.target.transfer} wants a target that is trained, which retrieval is not; "
            "use stack"
        )


def _check_head(recipe: Recipe, target: Task, first: Sequence[TrainingSet]) -> None:
    """Before anything is trained."""
    layout = recipe.model.head
    heads = [TrainedHead("", e.task.name, e.task.family, e.task.labels, layout) for e in first]
    head_to_keep(target, layout, heads)


def _check_packages(recipe: Recipe) -> None:
    first, mode = recipe.intermediate, recipe.target.transfer
    if first is not None and len(first.package) > 1 and mode != "none" and not MODES[mode].apart:
        raise RecipeError(f"intermediate.package: target.transfer {mode} takes one; use fuse or merge for several")


def _check_kinds(recipe: Recipe) -> None:
    mode = recipe.target.transfer
    if recipe.intermediate is None or mode == "none" or MODES[mode].continues:
        return
    below, own = recipe.intermediate.module.kind, recipe.target.module.kind
    if below != own:
        raise RecipeError(f"target.module.kind is {own}, but intermediate.module.kind is {below}; make them equal")


def _intermediate_tasks(recipe: Recipe, phase: IntermediateSettings | None) -> list[Task]:
    tasks = [find_task(name, recipe.tasks, "intermediate.tasks") for name in phase.tasks] if phase else []
    for task in tasks:
        if task.family not in FAMILIES:
            raise RecipeError(f"intermediate.tasks: {task.name} is retrieval, which is not trained; name others")
    return tasks


def _mixed(
    phase: IntermediateSettings, tasks: list[Task], source: Source, seed: int, left_out: LeftOut
) -> tuple[TrainingSet, ...]:
    sets = [
        training_set(
            task,
            source,
            phase.train,
            seed,
            tuple(phase.languages.get(task.name, english_of(task))),
            left_out,
            translated=task.name in phase.translated,
        )
        for task in tasks
    ]
    counts = examples_per_epoch(
        {each.task.name: len(each.train) for each in sets},
        cap=phase.mix.cap,
        temperature=phase.mix.temperature,
        weights=phase.mix.weights,
    )
    return tuple(replace(each, per_epoch=counts[each.task.name]) for each in sets)


def _target_set(recipe: Recipe, target: Task, source: Source, left_out: LeftOut) -> TrainingSet:
    settings, languages = recipe.target.train, training_languages(recipe, target)
    dev_languages = languages if settings.languages else None
    return training_set(target, source, settings, recipe.seed, languages, left_out, dev_languages=dev_languages)


def training_languages(recipe: Recipe, target: Task) -> tuple[str, ...]:
    """The languages whose labels the target phase learns."""
    return tuple(recipe.target.train.languages or english_of(target))


def more_than_english(recipe: Recipe) -> frozenset[str]:
    """The languages whose labels of the target a recipe has learned, or none where these are English alone."""
    target, first = find_task(recipe.target.task, recipe.tasks, "target.task"), recipe.intermediate
    found = {*training_languages(recipe, target)}
    if first is not None and target.name in first.tasks and recipe.target.transfer != "none":
        found |= {*first.languages.get(target.name, english_of(target))}
    return frozenset() if found <= ENGLISH_CODES else frozenset(found)


def _test(recipe: Recipe, target: Task, source: Source, language: str, left_out: LeftOut) -> Sequence[Any] | Pool:
    split, limit = recipe.evaluate.split, recipe.evaluate.limit
    if target.family == "retrieval":
        return limited(source.pool(target, split, language), limit)
    found = list(source.examples(target, split, language, left_out=left_out))[:limit]
    if not found:
        raise DataError(f"{source.place(target, split, language)}: no examples")
    return found


def limited(pool: Pool, limit: int | None) -> Pool:
    """The first queries, and as many candidates, their answers among them."""
    if limit is None:
        return pool
    queries = pool.queries[:limit]
    kept = {candidate.id for candidate in pool.candidates[:limit]}
    kept.update(answer for query in queries for answer in query.answers or ())
    return Pool(queries, tuple(candidate for candidate in pool.candidates if candidate.id in kept))


def answers_of(target: Task, found: Sequence[Any] | Pool) -> list[Any]:
    """The right answers in the form that predictions have, or nothing where one is not known."""
    if not isinstance(found, Pool):
        answers = [DECODERS[target.family].gold(example) for example in found]
        return [] if any(answer is None for answer in answers) else answers
    ids = [query.answers for query in found.queries]
    if any(answer is None for answer in ids):
        return []
    return [answer if target.search == "rank" else (answer or (None,))[0] for answer in ids]


def _tuning(recipe: Recipe, target: Task, source: Source, languages: tuple[str, ...]) -> dict[str, Pool]:
    if target.search != "mine" or recipe.evaluate.split == "dev":
        return {}
    return {language: source.pool(target, "dev", language) for language in languages}
