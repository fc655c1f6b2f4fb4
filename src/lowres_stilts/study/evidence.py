"""From the store to samples: scores and gains of every group of cells that differ by their seeds only."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np

from lowres_stilts.evaluation.metric import Floats, Metric
from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.evaluation.transfer import ENGLISH_CODES
from lowres_stilts.study.languages import language_of
from lowres_stilts.study.load import CELL_KEYS
from lowres_stilts.study.schema import Group
from lowres_stilts.study.statistics import Sample, mean_of

Measure = Literal["gain", "score", "baseline"]
Resampled = tuple[float, Floats, int]
"""Points, their draws over examples, and the number of examples."""
AT_ONCE = 256
"""Resamples that are in memory together."""


class Results(Protocol):
    """What is asked of a store."""

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What a query finds, each row by column."""

    def counts(self, arm: str) -> dict[str, Floats]:
        """Counts `[examples, parts]` of an arm by language."""


@dataclass(frozen=True)
class Row:
    """Cells that differ by their seeds only, all of which are finished."""

    key: tuple[str, ...]
    """Values on the axes of `CELL_KEYS`."""
    seeds: tuple[int, ...]
    metric: str
    parameters: int
    """Of the encoder, without embeddings."""
    alone: bool
    """Whether it is a baseline only."""
    examples: Mapping[str, int]
    """By language."""
    system: Mapping[str, Sample]
    baseline: Mapping[str, Sample]
    labelled: frozenset[str] = frozenset()
    """Languages whose labels were learned, where these are more than English."""

    def name(self, key: str) -> str:
        """The value on an axis."""
        return self.key[CELL_KEYS.index(key)]

    def sample(self, measure: Measure, language: str) -> Sample:
        """A figure in a language."""
        if measure == "gain":
            return self.system[language] - self.baseline[language]
        return (self.system if measure == "score" else self.baseline)[language]

    @property
    def others(self) -> list[str]:
        """Its zero-shot languages: without English and all that had labels; all where there is no other."""
        trained = self.labelled or ENGLISH_CODES
        return [language for language in self.system if language not in trained] or list(self.system)


def evidence(
    store: Results,
    *,
    samples: int,
    seed: int,
    labelled: Mapping[tuple[str, ...], frozenset[str]] | None = None,
) -> list[Row]:
    """All finished rows that have a score, in the order of the grid.

    Args:
        store: where the results are.
        labelled: languages whose labels were learned, by row, where these are more than English.
        samples: how many resamples of the examples; the same for all arms of a target.
        seed: of the resamples.
    """
    arms = {row["key"]: row for row in store.rows("SELECT * FROM arms")}
    cells: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for cell in store.rows("SELECT * FROM cells"):
        if cell["system"] in arms and cell["baseline"] in arms:
            cells[tuple("" if cell[key] is None else str(cell[key]) for key in CELL_KEYS)].append(cell)
    wanted = {cell[side] for found in cells.values() for cell in found for side in ("system", "baseline")}
    by_tests: dict[tuple[Any, ...], dict[str, dict[str, Floats]]] = defaultdict(dict)
    for arm in sorted(wanted):
        counts = store.counts(arm)
        tests = sorted((language, len(table)) for language, table in counts.items())
        by_tests[arms[arm]["target"], arms[arm]["metric"], *tests][arm] = counts
    resampled: dict[str, dict[str, Resampled]] = {}
    for (target, metric, *_), same in by_tests.items():
        resampled |= _resampled(METRICS[metric], target, same, samples, seed)
    rows = (
        replace(_row(key, found, arms, resampled), labelled=(labelled or {}).get(key, frozenset()))
        for key, found in cells.items()
    )
    return [row for row in rows if row.system]


def _row(
    key: tuple[str, ...],
    cells: list[dict[str, Any]],
    arms: Mapping[str, dict[str, Any]],
    resampled: Mapping[str, Mapping[str, Resampled]],
) -> Row:
    cells = sorted(cells, key=lambda cell: int(cell["seed"]))
    first = arms[cells[0]["system"]]
    languages = list(resampled[cells[0]["system"]])

    def side(name: str) -> dict[str, Sample]:
        return {
            language: Sample(
                np.array([resampled[cell[name]][language][0] for cell in cells]),
                np.stack([resampled[cell[name]][language][1] for cell in cells]),
            )
            for language in languages
        }

    alone = all(cell["system"] == cell["baseline"] for cell in cells)
    return Row(
        key=key,
        seeds=tuple(int(cell["seed"]) for cell in cells),
        metric=first["metric"],
        parameters=int(first["parameters"]),
        alone=alone,
        examples={language: resampled[cells[0]["system"]][language][2] for language in languages},
        system=side("system"),
        baseline=side("baseline"),
    )


def _resampled(
    metric: Metric, target: str, arms: Mapping[str, Mapping[str, Floats]], samples: int, seed: int
) -> dict[str, dict[str, Resampled]]:
    """Of arms with the same tests, by language; English first."""
    found: dict[str, dict[str, Resampled]] = {arm: {} for arm in arms}
    languages = sorted(next(iter(arms.values())), key=lambda code: (code not in ENGLISH_CODES, code))
    for language in languages:
        tables = {arm: own[language] for arm, own in arms.items()}
        draws: dict[str, list[Floats]] = defaultdict(list)
        size = len(next(iter(tables.values())))
        for weights in _weights(target, language, size, samples, seed):
            for arm, table in tables.items():
                draws[arm].append(metric.value(weights @ table))
        for arm, table in tables.items():
            found[arm][language] = (metric.score(table), np.concatenate(draws[arm]), len(table))
    return found


def _weights(target: str, language: str, examples: int, samples: int, seed: int) -> Iterator[Floats]:
    """How often each example is drawn, `[some, examples]`; the same for all arms with the same test set."""
    name = hashlib.sha256(f"{target}|{language}".encode()).digest()
    rng = np.random.default_rng([seed, int.from_bytes(name[:8], "little")])
    for start in range(0, samples, AT_ONCE):
        size = min(AT_ONCE, samples - start)
        yield rng.multinomial(examples, np.full(examples, 1 / examples), size=size).astype(np.float64)


@dataclass(frozen=True)
class Mean:
    """The mean of a group: languages weigh the same, then targets, then what else differs."""

    sample: Sample
    seeds: tuple[int, ...]
    examples: int
    rows: int


def group_mean(rows: Sequence[Row], group: Group, measure: Measure) -> Mean | None:
    """The mean of some rows and languages over the seeds that they share; None where there is none."""
    chosen = [(row, languages) for row in rows if fits(row, group) and (languages := _languages(row, group))]
    if measure == "gain":
        chosen = [(row, languages) for row, languages in chosen if not row.alone]
    shared = set.intersection(*(set(row.seeds) for row, _ in chosen)) if chosen else set()
    if not shared:
        return None
    by_target: dict[str, list[Sample]] = defaultdict(list)
    for row, languages in chosen:
        positions = [row.seeds.index(seed) for seed in sorted(shared)]
        mean = mean_of([row.sample(measure, language) for language in languages])
        by_target[row.name("target")].append(mean.of(positions))
    examples = sum(row.examples[language] for row, languages in _by_target(chosen) for language in languages)
    whole = mean_of([mean_of(samples) for samples in by_target.values()])
    return Mean(whole, tuple(sorted(shared)), examples, len(chosen))


def fits(row: Row, group: Group) -> bool:
    """Whether the names of a group are this row's, languages aside."""
    return all(not getattr(group, key) or row.name(key) in getattr(group, key) for key in CELL_KEYS)


def split(rows: Sequence[Row], key: Callable[[Row], str]) -> dict[str, list[Row]]:
    """Rows by what they have in common, in their order."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found


def _by_target(chosen: Sequence[tuple[Row, list[str]]]) -> list[tuple[Row, list[str]]]:
    """One row of each target: the test examples of the others are the same."""
    return list({row.name("target"): (row, languages) for row, languages in chosen}.values())


def _languages(row: Row, group: Group) -> list[str]:
    if group.language:
        return [language for language in row.system if language in group.language]
    if group.resource:
        return [language for language in row.others if language_of(language).level in group.resource]
    return row.others
