"""What a study found, as results.json, and the files that are made of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from lowres_stilts.pipeline.environment import versions
from lowres_stilts.pipeline.material import more_than_english
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.storage import write_json
from lowres_stilts.study.claims import Judged, by_size, curve_of, judge
from lowres_stilts.study.curves import log_fit, power_fit
from lowres_stilts.study.evidence import Row, evidence, group_mean, split
from lowres_stilts.study.folder import StudyFolder
from lowres_stilts.study.headline import study_headline
from lowres_stilts.study.languages import language_of, source_of_metadata
from lowres_stilts.study.load import CELL_KEYS, Setting, dump_study
from lowres_stilts.study.plan import Plan
from lowres_stilts.study.schema import Group, Study
from lowres_stilts.study.statistics import Estimate, Sample, call, estimate, holm, within_points
from lowres_stilts.study.store import Store
from lowres_stilts.study.write import write_report_files


def write_results(
    study: Study, plan: Plan, recipes: Mapping[Setting, Recipe], folder: StudyFolder, store: Store
) -> dict[str, Any]:
    """Judges what is in the store; writes results.json, report.html, figures and tables.

    Raises:
        RunError: something cannot be written.
    """
    labelled = {setting.without_seed: more_than_english(recipe) for setting, recipe in recipes.items()}
    statistics = study.statistics
    rows = evidence(store, samples=statistics.samples, seed=statistics.seed, labelled=labelled)
    results = _results(study, rows)
    costs = _costs(plan, folder, store)
    for row, told in zip(rows, results["rows"], strict=True):
        told["cost"] = {"training_seconds": _mean_cost(row, plan, costs)}
    results |= {
        "cells": {"planned": len(plan.cells), "finished": _finished(store)},
        "without_answers": _without_answers(store),
        "failures": store.rows("SELECT step, error FROM failures ORDER BY step"),
        "samples": _samples(study, rows, plan, store),
        "settings": dump_study(study),
        "recipe": next(iter(recipes.values())).as_yaml(),
        "versions": versions(),
        "models": _models(store),
    }
    results["headline"] = study_headline(results)
    write_json(folder.path / "results.json", results)
    write_report_files(results, folder.path)
    return results


def _results(study: Study, rows: Sequence[Row]) -> dict[str, Any]:
    seed, alpha = study.statistics.seed, study.statistics.alpha
    gains = {row.key: found for row in rows if (found := _gain(row, seed)) is not None}
    whole = dict(zip(gains, holm([found.p for found in gains.values()]).tolist(), strict=True))
    by_language = {
        (row.key, language): estimate(row.sample("gain", language), row.examples[language], seed)
        for row in rows
        if not row.alone
        for language in row.system
    }
    adjusted = dict(zip(by_language, holm([found.p for found in by_language.values()]).tolist(), strict=True))
    told = []
    for row in rows:
        languages = {
            language: {
                "n": row.examples[language],
                "score": _score(row.system[language], row.examples[language], seed),
                "baseline": _score(row.baseline[language], row.examples[language], seed),
                **_judged_gain(by_language.get((row.key, language)), adjusted.get((row.key, language)), alpha),
            }
            for language in row.system
        }
        told.append(
            {
                **dict(zip(CELL_KEYS, row.key, strict=True)),
                "seeds": list(row.seeds),
                "labelled": sorted(row.labelled),
                "metric": row.metric,
                "parameters": row.parameters,
                "score": _mean_json(row, "score", seed),
                "baseline": _mean_json(row, "baseline", seed),
                **_judged_gain(gains.get(row.key), whole.get(row.key), alpha),
                "languages": languages,
            }
        )
    overall = group_mean(rows, Group(), "gain")
    codes = sorted({language for row in rows for language in row.system})
    return {
        "study": {"name": study.name, "title": study.title, "question": study.question},
        "kind": "study",
        "alpha": alpha,
        "overall": _json(estimate(overall.sample, overall.examples, seed)) if overall else None,
        "rows": told,
        "claims": [_claim(found) for found in judge(study.claims, rows, seed=seed, alpha=alpha)],
        "curves": _curves(rows, seed),
        "languages": {code: asdict(language_of(code)) for code in codes},
        "language_source": source_of_metadata(),
    }


def _gain(row: Row, seed: int) -> Estimate | None:
    found = group_mean([row], Group(), "gain")
    return estimate(found.sample, found.examples, seed) if found else None


def _mean_json(row: Row, measure: Any, seed: int) -> dict[str, Any] | None:
    found = group_mean([row], Group(), measure)
    return _score(found.sample, found.examples, seed) if found else None


def _score(sample: Sample, examples: int, seed: int) -> dict[str, Any]:
    return _json(estimate(sample, examples, seed), least=0.0)


def _judged_gain(found: Estimate | None, adjusted: float | None, alpha: float) -> dict[str, Any]:
    if found is None or adjusted is None:
        return {"gain": None}
    return {"gain": {**_json(found), "adjusted_p": round(adjusted, 6), "call": call(found, adjusted, alpha)}}


def _json(found: Estimate, least: float = -100.0) -> dict[str, Any]:
    """An estimate in points: of a difference, or of a score, which is 0 at least."""
    found = within_points(found, least)
    return {
        "value": found.value,
        "ci95": [found.low, found.high],
        "p": round(found.p, 6),
        "effect": found.effect,
        "examples": found.examples,
        "seeds": found.seeds,
    }


def _claim(found: Judged) -> dict[str, Any]:
    measured: dict[str, Any] | None = None
    if isinstance(found.measured, Estimate):
        measured = {"unit": "points", **_json(found.measured)}
    elif found.measured is not None:
        m = found.measured
        measured = {"unit": "r", "value": m.r, "ci95": [m.low, m.high], "p": m.p, "rho": m.rho, "n": m.n}
    return {
        "claim": found.claim.text,
        "paper": found.claim.paper,
        "kind": found.claim.kind,
        "measure": found.claim.measure,
        "measured": measured,
        "adjusted_p": None if found.adjusted is None else round(found.adjusted, 6),
        "verdict": found.verdict,
        "why": found.why,
        "note": found.claim.note,
    }


def _curves(rows: Sequence[Row], seed: int) -> list[dict[str, Any]]:
    """Of every intermediate task and target with several sizes: points and fits."""
    found = []
    for name, some in split(rows, lambda row: f"{row.name('intermediate')} → {row.name('target')}").items():
        points = by_size(some, Group(), "gain")
        if len(points) < 2:
            continue
        sizes, values, draws = curve_of(points, seed)
        fits = [fit.to_json() for make in (log_fit, power_fit) if (fit := make(sizes, values, draws)) is not None]
        told = [{"size": size, **_json(estimate(mean.sample, mean.examples, seed))} for size, mean in points]
        found.append({"name": name, "points": told, "fits": fits})
    return found


def _finished(store: Store) -> int:
    """Cells of which both systems are done."""
    (found,) = store.rows(
        "SELECT count(*) AS cells FROM cells WHERE system IN (SELECT key FROM arms) "
        "AND baseline IN (SELECT key FROM arms)"
    )
    return int(found["cells"])


def _without_answers(store: Store) -> list[dict[str, Any]]:
    """Targets with the languages that have predictions and no score."""
    told = [json.loads(row["about"]) for row in store.rows("SELECT about FROM arms ORDER BY key")]
    found = {
        about["target"]: {
            "target": about["target"],
            "languages": about["without_answers"],
            "answers_at": about["answers_at"],
        }
        for about in told
        if about.get("without_answers")  # older results do not say
    }
    return [found[target] for target in sorted(found)]


def _costs(plan: Plan, folder: StudyFolder, store: Store) -> dict[str, float]:
    """Seconds of training by step."""
    costs = {row["arm"]: row["training_seconds"] for row in store.rows("SELECT * FROM costs")}
    for key, step in plan.steps.items():
        summary = folder.phase(key) / "module" / "phase.json"
        if step.phase is not None and summary.exists():
            costs[key] = json.loads(summary.read_text(encoding="utf-8"))["seconds"]
    return costs


def _mean_cost(row: Row, plan: Plan, costs: Mapping[str, float]) -> float:
    """Of a row's systems, with the phases that they share with others."""
    arms = [cell.system for cell in plan.cells if cell.setting.without_seed == row.key]
    return round(fmean(sum(costs.get(key, 0.0) for key in (arm, *plan.steps[arm].needs)) for arm in arms), 1)


def _samples(study: Study, rows: Sequence[Row], plan: Plan, store: Store) -> list[dict[str, Any]]:
    """Of one system of each target: that of the highest mean score on the first seed."""
    count = study.report.samples
    if not count:
        return []
    found = []
    for target, some in split(rows, lambda row: row.name("target")).items():
        best = max(some, key=lambda row: fmean(row.system[language].values[0] for language in row.others))
        arm = next(cell.system for cell in plan.cells if cell.setting.without_seed == best.key)
        (about,) = store.rows(f"SELECT about, samples FROM arms WHERE key = '{arm}'")
        told = json.loads(about["about"])
        languages = {language: shown[:count] for language, shown in json.loads(about["samples"]).items()}
        found.append(
            {
                "target": target,
                "system": f"after {best.name('intermediate')}",
                "licence": told["licence"],
                "citation": told["citation"],
                "languages": languages,
            }
        )
    return found


def _models(store: Store) -> dict[str, Any]:
    found = {}
    for row in store.rows("SELECT about FROM arms"):
        about = json.loads(row["about"])
        found[about["model"]["id"]] = {
            "weights_sha256": about["weights_sha256"],
            "parameters": about["parameters"],
            **{key: about["model"][key] for key in ("quantize", "embeddings", "compute")},
        }
    return found
