"""The transfer table: scores by language, the baseline's, and the gain, each with its interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lowres_stilts.evaluation.intervals import Interval, mean_interval
from lowres_stilts.evaluation.metrics import Floats, Metric

ENGLISH = "en"


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
    task: str, metric: Metric, system: Arm, baseline: Arm | None, *, samples: int, seed: int
) -> dict[str, Any]:
    """`scores`, `baseline`, `gain` and their means over languages without English, as in results.json.

    Points from 0 to 100, a metric's parts beside its value; intervals are 95% percentile bootstraps, paired for
    the gain.
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

    others = [language for language in system.tables if language != ENGLISH]
    means: dict[str, Any] = {}
    if others:
        means["scores"] = _json(interval([system.tables[language] for language in others]))
    results: dict[str, Any] = {"scores": {task: scores(system)}}
    if baseline is not None:
        gains = {
            language: _json(interval([table], [baseline.tables[language]]))
            for language, table in system.tables.items()
        }
        results |= {"baseline": {task: scores(baseline)}, "gain": {task: gains}}
        if others:
            tables, against = ([arm.tables[language] for language in others] for arm in (system, baseline))
            means["baseline"] = _json(interval(against))
            means["gain"] = _json(interval(tables, against))
    return results | {"mean_without_english": {task: means}}


def _json(interval: Interval) -> dict[str, Any]:
    return {"value": interval.value, "ci95": [interval.low, interval.high]}
