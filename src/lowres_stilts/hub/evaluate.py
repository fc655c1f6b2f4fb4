"""The scores of a package on a task, measured anew."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from lowres_stilts.data.examples import Pool
from lowres_stilts.data.withheld import answers_unknown
from lowres_stilts.errors import DataError, UsageError
from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.evaluation.predict import predict
from lowres_stilts.evaluation.retrieval import Retriever, View
from lowres_stilts.evaluation.transfer import Arm, transfer_results
from lowres_stilts.hub.load import Loaded, load_package
from lowres_stilts.hub.verify import Package
from lowres_stilts.pipeline.dev import longest
from lowres_stilts.pipeline.material import answers_of, limited
from lowres_stilts.recipe.evaluation import RetrievalSettings
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.storage import using_cache
from lowres_stilts.tasks.cache import cached_features
from lowres_stilts.tasks.load import find_languages, find_task
from lowres_stilts.tasks.reading import LeftOut, told_of
from lowres_stilts.tasks.source import Source
from lowres_stilts.tasks.task import Split, Task


@using_cache()
def evaluate_package(
    package: Package,
    source: Source,
    *,
    task: str | None = None,
    languages: str | Sequence[str] = "all",
    split: Split = "test",
    limit: int | None = None,
    tokens_per_batch: int = 4096,
    advance: Callable[[str], None] = lambda _: None,
    warn: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """`scores` by language as in results.json, and their mean without English.

    Args:
        package: a checked package.
        source: where the examples come from.
        task: one of the package's tasks, or a retrieval task, which needs no head; its only one by default.
        languages: which, or `all`.
        split: which.
        limit: the first n examples of each language.
        tokens_per_batch: most tokens of a batch.
        advance: told the language that is done.
        warn: told what the scores suffer from.

    Raises:
        UsageError: the package has no head for the task.
        DataError: examples are missing or malformed, or the answers are known in no language.
        PackageError: the base's weights are others.
    """
    recipe = Recipe.stored(package.manifest.recipe, package.folder)
    chosen = _task(package, recipe, task)
    found = find_languages(languages, chosen, source, split)
    left_out: LeftOut = Counter()
    tests = {language: _examples(chosen, source, split, language, limit, left_out) for language in found}
    for line in told_of(left_out):
        warn(line)
    gold = {language: answers for language, found in tests.items() if (answers := answers_of(chosen, found))}
    if unknown := [language for language in tests if language not in gold]:
        problem = answers_unknown(chosen.name, unknown, chosen.answers_at)
        if not gold:
            raise DataError(f"{source.place(chosen, split, unknown[0])}: {problem}")
        warn(problem)
    own = {name: _task(package, recipe, name) for name in package.heads}
    loaded = load_package(package, own)
    _warn_of_languages(package, list(gold), warn)
    predicted = {}
    for language in gold:
        loaded.speak(language)
        predicted[language] = _answers(
            loaded, chosen, tests[language], recipe.evaluate.retrieval, tokens_per_batch
        )
        advance(language)
    metric = METRICS[chosen.metric]
    arm = Arm.of(metric, gold, predicted)
    return transfer_results(chosen.name, metric, arm, None, samples=recipe.evaluate.bootstrap, seed=recipe.seed)


def measure_again(
    package: Package,
    source: Source,
    advance: Callable[[str], None] = lambda _: None,
    warn: Callable[[str], None] = lambda _: None,
) -> dict[str, tuple[float, float, bool]]:
    """By language: the score on the card, the one measured now, and whether it lies within the card's interval.

    Raises:
        UsageError: the card has no scores.
        DataError: examples are missing, malformed or unlabelled.
        PackageError: the base's weights are others.
    """
    manifest = package.manifest
    if not manifest.scores:
        raise UsageError(f"{package.folder}: the card has no scores to compare with; leave --scores out")
    (task, written), *_ = manifest.scores.items()
    measured = evaluate_package(
        package,
        source,
        task=task,
        languages=list(written),
        split=manifest.evaluation["split"],
        limit=manifest.evaluation["limit"],
        advance=advance,
        warn=warn,
    )["scores"][task]
    return {
        language: (score["value"], now := measured[language]["value"], score["ci95"][0] <= now <= score["ci95"][1])
        for language, score in written.items()
    }


def _task(package: Package, recipe: Recipe, name: str | None) -> Task:
    parts = {part.name: part for part in package.manifest.tasks if part.name in package.heads}
    if not parts and name is None:
        raise UsageError("--task: a language adapter has no head; name a retrieval task, which needs none")
    if name is None and len(parts) > 1:
        raise UsageError(f"--task: this package has heads for {', '.join(parts)}; name one of them")
    task = find_task(name or next(iter(parts)), recipe.tasks, "--task")
    if task.name in parts:
        part = parts[task.name]
        return replace(task, labels=tuple(part.labels), max_length=part.max_length)
    if task.family != "retrieval":
        raise UsageError(f"--task: this package has no head for {task.name}; it has {', '.join(parts) or 'none'}")
    return task


def _warn_of_languages(package: Package, languages: Sequence[str], warn: Callable[[str], None]) -> None:
    composition = package.manifest.composition
    if composition is None or not composition.languages:
        return
    if without := [language for language in languages if composition.code_of(language) is None]:
        warn(f"no language adapter for {', '.join(without)}: the English one answers for them")


def _examples(
    task: Task, source: Source, split: Split, language: str, limit: int | None, left_out: LeftOut
) -> Sequence[Any] | Pool:
    if task.family == "retrieval":
        return limited(source.pool(task, split, language), limit)
    return list(source.examples(task, split, language, left_out=left_out))[:limit]


def _answers(
    loaded: Loaded, task: Task, examples: Sequence[Any] | Pool, settings: RetrievalSettings, tokens_per_batch: int
) -> list[Any]:
    length = longest(task.max_length, loaded.encoder)
    if isinstance(examples, Pool):
        retriever = Retriever(
            loaded.stack.model,
            loaded.encoder,
            View(settings.layer, settings.pooling),
            prefix=settings.prefix,
            similarity=settings.similarity,
            neighbours=settings.neighbours,
            max_length=length,
            tokens_per_batch=tokens_per_batch,
        )
        return retriever.answer(task, examples)
    features = cached_features(task, examples, loaded.encoder.tokenizer, length)
    return predict(loaded.network, loaded.encoder, task, examples, features, tokens_per_batch)
