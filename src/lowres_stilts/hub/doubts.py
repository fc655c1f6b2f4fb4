"""Scores that one answer for all could have: what nobody should share without knowing."""

from collections.abc import Iterator, Mapping

from lowres_stilts.evaluation.chance import is_within_noise
from lowres_stilts.hub.bundle_card import compared_scores
from lowres_stilts.hub.manifest import Manifest, TaskPart
from lowres_stilts.runtime.manifest import Manifest as BundleManifest


def doubts_of(manifest: Manifest) -> list[str]:
    """A line for each task whose score on the dev set, or in some languages, is no better than one answer for all.

    Where a package does not say what one answer for all scores, that is at least an equal share of the labels.
    """
    return [*_on_dev(manifest), *_on_tests(manifest)]


def doubts_of_bundle(manifest: BundleManifest) -> list[str]:
    """The same for the classifiers of a bundle, where their scores were compared."""
    doubts = []
    for part in manifest.adapters:
        scores = compared_scores(manifest).bundle.get(part.name, {})
        low = [language for language, points in scores.items() if part.labels and points <= 100 / len(part.labels)]
        if low and part.family == "classification":
            doubts.append(f"{part.name} is no better than one answer for all in {', '.join(low)}")
    return doubts


def _on_dev(manifest: Manifest) -> Iterator[str]:
    for task in manifest.tasks:
        chance = task.dev_chance if task.dev_chance is not None else _least(task)
        if chance is None or task.dev_score is None:
            continue
        if not is_within_noise(task.dev_score, chance, task.dev_examples):
            continue
        scored = f"{task.name} scores {task.dev_score:.1f} on the English dev set"
        yield f"{scored}, where one answer for all gets {chance:.1f}"


def _on_tests(manifest: Manifest) -> Iterator[str]:
    parts = {task.name: task for task in manifest.tasks}
    for name, scores in manifest.scores.items():
        known: Mapping[str, float] = (manifest.chance or {}).get(name, {})
        least = _least(parts[name]) if name in parts else None
        low = [
            language
            for language, score in scores.items()
            if (chance := known.get(language, least)) is not None
            and is_within_noise(score["value"], chance, score["n"])
        ]
        if low:
            yield f"{name} is no better than one answer for all in {', '.join(low)}"


def _least(task: TaskPart) -> float | None:
    """Points that the commonest of a classifier's labels has at least; None for other tasks."""
    known = task.metric == "accuracy" and task.family == "classification" and task.labels
    return 100 / len(task.labels) if known else None
