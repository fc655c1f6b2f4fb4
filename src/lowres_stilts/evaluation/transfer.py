"""The transfer table: scores by language, the baseline's, and the gain, each with its interval."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lowres_stilts.evaluation.intervals import Interval, mean_interval
from lowres_stilts.evaluation.metrics import Floats, Metric

ENGLISH_CODES = frozenset({"en", "eng_Latn"})
"""How data sets spell English."""


@dataclass(frozen=True)
class Arm:
    """Counts `[examples, counts]` of one system by language."""

    tables: Mapping[str, Floats]

    @classmethod
    def of(
        cls, metric: Metric, gold: Mapping[str, Sequence[Any]], predicted: Mapping[str, Sequence[Any]]
    ) -> "Arm":
        """Counts of predictions against gold answers."""
        return cls(
            {language: metric.table(gold[language], predicted[language], language) for language in predicted}
        )


def transfer_results(
    task: str,
    metric: Metric,
    system: Arm,
    baseline: Arm | None,
    *,
    samples: int,
    seed: int,
    labelled: Collection[str] = (),
) -> dict[str, Any]:
    """`scores`, `baseline`, `gain` and their means over languages without English, as in results.json.

    Points from 0 to 100, a metric's parts beside its value; intervals are 95% percentile bootstraps, paired for
    the gain.

    Args:
        task: what was scored.
        metric: how.
        system: counts of the whole system.
        baseline: those of the target training alone.
        samples: resamples behind each interval.
        seed: of the resampling.
        labelled: languages whose labels were learned; with any but English among them, `mean_zero_shot` has the
            means over the others.
    """

    def interval(tables: Sequence[Floats], against: Sequence[Floats] = ()) -> Interval:
        return mean_interval(metric, tables, against, samples=samples, seed=seed)

    def parts(table: Floats) -> dict[str, float]:
        return {name: round(points, 4) for name, points in metric.part_scores(table).items()}

    def scores(arm: Arm) -> dict[str, Any]:
        return {
            language: {"metric": metric.name, **_json(interval([table])), **parts(table), "n": len(table)}
            for language, table in arm.tables.items()
        }

    def means(languages: Sequence[str]) -> dict[str, Any]:
        if not languages:
            return {}
        tables = [system.tables[language] for language in languages]
        if baseline is None:
            return {"scores": _json(interval(tables))}
        against = [baseline.tables[language] for language in languages]
        found = {"scores": interval(tables), "baseline": interval(against), "gain": interval(tables, against)}
        return {name: _json(each) for name, each in found.items()}

    results: dict[str, Any] = {"scores": {task: scores(system)}}
    if baseline is not None:
        gains = {
            language: _json(interval([table], [baseline.tables[language]]))
            for language, table in system.tables.items()
        }
        results |= {"baseline": {task: scores(baseline)}, "gain": {task: gains}}
    others = [language for language in system.tables if language not in ENGLISH_CODES]
    results["mean_without_english"] = {task: means(others)}
    if not ENGLISH_CODES.issuperset(labelled):
        results["mean_zero_shot"] = {task: means([code for code in system.tables if code not in labelled])}
    return results


def _json(interval: Interval) -> dict[str, Any]:
    return {"value": interval.value, "ci95": [interval.low, interval.high]}
