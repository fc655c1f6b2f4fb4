"""Each claim beside what was measured: supported, not supported, or undecided at this scale."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lowres_stilts.study.curves import last_against_first_doubling
from lowres_stilts.study.evidence import Mean, Row, fits, group_mean, split
from lowres_stilts.study.languages import language_of
from lowres_stilts.study.schema import Claim, Group
from lowres_stilts.study.statistics import (
    Correlation,
    Estimate,
    Sample,
    correlation,
    estimate,
    highest_of,
    holm,
    over_seeds,
)

Verdict = Literal["supported", "not supported", "undecided", "not measured"]


@dataclass(frozen=True)
class Judged:
    """A claim with its figure."""

    claim: Claim
    verdict: Verdict
    measured: Estimate | Correlation | None
    adjusted: float | None
    """The p-value over all claims of the study (Holm)."""
    why: str
    """What decided."""


def judge(claims: Sequence[Claim], rows: Sequence[Row], *, seed: int, alpha: float) -> list[Judged]:
    """All claims of a study, judged together."""
    measured = [_measured(claim, rows, seed) for claim in claims]
    tested = [number for number, found in enumerate(measured) if found is not None]
    p_values = [measured[number].p for number in tested]  # type: ignore[union-attr]
    adjusted: Mapping[int, float] = dict(zip(tested, holm(p_values).tolist(), strict=True))
    return [
        _judged(claim, found, adjusted.get(number), alpha)
        for number, (claim, found) in enumerate(zip(claims, measured, strict=True))
    ]


def _judged(claim: Claim, found: Estimate | Correlation | None, adjusted: float | None, alpha: float) -> Judged:
    if found is None or adjusted is None:
        return Judged(claim, "not measured", None, None, claim.note or "nothing in this study bears on it")
    if isinstance(found, Correlation):
        verdict, why = _sign(found, adjusted, alpha)
        return Judged(claim, verdict, found, adjusted, why)
    if found.seeds < 2:
        return Judged(claim, "undecided", found, adjusted, "one seed cannot show what another would give")
    if claim.kind == "no_gain":
        return _no_gain(claim, found, adjusted, alpha)
    verdict, why = _sign(found, adjusted, alpha)
    if verdict == "undecided" and claim.kind != "most" and -claim.margin < found.low and found.high < claim.margin:
        verdict, why = "not supported", f"the whole interval is within {claim.margin:g} of 0"
    return Judged(claim, verdict, found, adjusted, why)


def _sign(found: Estimate | Correlation, adjusted: float, alpha: float) -> tuple[Verdict, str]:
    if adjusted < alpha and found.low > 0:
        return "supported", "the whole interval is above 0"
    if adjusted < alpha and found.high < 0:
        return "not supported", "the whole interval is below 0"
    return "undecided", "0 is within the interval, or too near it for so many tests"


def _no_gain(claim: Claim, found: Estimate, adjusted: float, alpha: float) -> Judged:
    if found.high < claim.margin:
        return Judged(claim, "supported", found, adjusted, f"the whole interval is below {claim.margin:g}")
    if adjusted < alpha and found.low > claim.margin:
        return Judged(claim, "not supported", found, adjusted, f"the whole interval is above {claim.margin:g}")
    return Judged(
        claim, "undecided", found, adjusted, f"the interval has values on both sides of {claim.margin:g}"
    )


def _measured(claim: Claim, rows: Sequence[Row], seed: int) -> Estimate | Correlation | None:
    if claim.kind == "absent":
        return None
    if claim.kind in {"gain", "no_gain"}:
        found = group_mean(rows, claim.of, claim.measure)
        return None if found is None else estimate(found.sample, found.examples, seed)
    if claim.kind == "more":
        return _difference(claim, rows, seed)
    if claim.kind == "most":
        return _most(claim, rows, seed)
    if claim.kind == "diminishing":
        return _diminishing(claim, rows, seed)
    return _correlated(claim, rows)


def _difference(claim: Claim, rows: Sequence[Row], seed: int) -> Estimate | None:
    if claim.than is None:
        return None
    # Only what both have been tested on is a fair comparison, unless the targets are what is compared.
    first, second = (
        _common(rows, group, other) for group, other in ((claim.of, claim.than), (claim.than, claim.of))
    )
    one, two = group_mean(first, claim.of, claim.measure), group_mean(second, claim.than, claim.measure)
    return _contrast(one, two, seed)


def _common(rows: Sequence[Row], own: Group, other: Group) -> list[Row]:
    mine = [row for row in rows if fits(row, own)]
    if own.target or other.target:
        return mine
    theirs = {row.name("target") for row in rows if fits(row, other)}
    return [row for row in mine if row.name("target") in theirs]


def _contrast(one: Mean | None, two: Mean | None, seed: int) -> Estimate | None:
    if one is None or two is None or not (shared := sorted(set(one.seeds) & set(two.seeds))):
        return None
    samples = [mean.sample.of([mean.seeds.index(each) for each in shared]) for mean in (one, two)]
    return estimate(samples[0] - samples[1], min(one.examples, two.examples), seed)


def _most(claim: Claim, rows: Sequence[Row], seed: int) -> Estimate | None:
    """Against the best of the others, chosen anew in every draw."""
    axis = str(claim.over)
    named = getattr(claim.of, axis)
    rest = claim.of.model_copy(update={axis: []})
    own = [row for row in rows if fits(row, claim.of)]
    targets = {row.name("target") for row in own}
    others = [row for row in rows if row.name(axis) not in named and fits(row, rest) and not row.alone]
    if axis != "target":
        others = [row for row in others if row.name("target") in targets]
    means = [
        group_mean(found, rest, claim.measure) for found in split(others, lambda row: row.name(axis)).values()
    ]
    mean = group_mean(own, claim.of, claim.measure)
    complete = [found for found in means if found is not None and mean is not None and found.seeds == mean.seeds]
    if mean is None or not complete:
        return None
    best = highest_of([found.sample for found in complete])
    return estimate(mean.sample - best, mean.examples, seed)


def by_size(rows: Sequence[Row], group: Group, measure: Any) -> list[tuple[int, Mean]]:
    """Means of a group by the size of the intermediate training, ascending."""
    sized = split([row for row in rows if row.name("size")], lambda row: row.name("size"))
    found = [(int(size), group_mean(some, group, measure)) for size, some in sized.items()]
    return sorted([(size, mean) for size, mean in found if mean is not None], key=lambda pair: pair[0])


def curve_of(points: Sequence[tuple[int, Mean]], seed: int) -> tuple[Any, Any, Any]:
    """Sizes, values and draws over examples and seeds."""
    sizes = np.array([size for size, _ in points], np.float64)
    values = np.array([mean.sample.values.mean() for _, mean in points])
    return sizes, values, np.stack([over_seeds(mean.sample, seed) for _, mean in points])


def _diminishing(claim: Claim, rows: Sequence[Row], seed: int) -> Estimate | None:
    points = by_size(rows, claim.of, claim.measure)
    if len(points) < 3 or len({mean.seeds for _, mean in points}) > 1:
        return None
    sizes = np.array([size for size, _ in points], np.float64)
    samples = [mean.sample for _, mean in points]
    per_seed = [
        last_against_first_doubling(
            sizes, np.array([s.values[n] for s in samples]), np.stack([s.draws[n] for s in samples])
        )
        for n in range(len(points[0][1].seeds))
    ]
    whole = Sample(np.array([value for value, _ in per_seed]), np.stack([draws for _, draws in per_seed]))
    return estimate(whole, points[0][1].examples, seed)


def _correlated(claim: Claim, rows: Sequence[Row]) -> Correlation | None:
    """One point for each row, or for each of its languages where it is about those."""
    x: list[float] = []
    y: list[float] = []
    for row in rows:
        if not fits(row, claim.of) or (row.alone and claim.measure == "gain"):
            continue
        if claim.over == "distance":
            for language in row.others:
                if (distance := language_of(language).distance) is not None:
                    x.append(distance)
                    y.append(float(row.sample(claim.measure, language).values.mean()))
            continue
        size = row.parameters if claim.over == "model_size" else int(row.name("size") or 0)
        mean = group_mean([row], claim.of, claim.measure)
        if size and mean is not None:
            x.append(float(np.log10(size)))
            y.append(float(mean.sample.values.mean()))
    return correlation(x, y)
