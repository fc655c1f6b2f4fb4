"""Reports of runs: of one, or of several beside each other."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lowres_stilts.errors import DataError, UsageError
from lowres_stilts.evaluation.table import mean_of_others, with_labels, worries
from lowres_stilts.names import require_folder
from lowres_stilts.pipeline.folder import RunFolder
from lowres_stilts.pipeline.material import read_tests
from lowres_stilts.pipeline.names import SYSTEM_FOLDER
from lowres_stilts.recipe.phases import package_title
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.study.headline import run_headline
from lowres_stilts.study.languages import language_of, source_of_metadata
from lowres_stilts.study.samples import samples_of
from lowres_stilts.study.training import curves_of
from lowres_stilts.study.write import write_report_files

SAMPLES = 2
"""Of each language."""


def write_run_report(folder: Path) -> None:
    """Writes the report of a finished run into its folder.

    Raises:
        UsageError: there is no finished run.
        RunError: the report cannot be written.
    """
    write_report_files(runs_report([folder]), folder, apart=False)


def write_report(folders: Sequence[Path], output: Path) -> None:
    """Writes the report of a study, of a run, or of several runs, with figures and tables beside it.

    Raises:
        UsageError: a folder holds no finished run or study.
        RunError: the report cannot be written.
    """
    if len(folders) == 1 and "rows" in _read(folders[0]):
        write_report_files(_read(folders[0]), output)
        return
    write_report_files(runs_report(folders), output)


def runs_report(folders: Sequence[Path]) -> dict[str, Any]:
    """What a report of runs says, in the form that a study's results have.

    Raises:
        UsageError: a folder holds no finished run.
    """
    found = {folder: _read(folder) for folder in folders}
    for folder, results in found.items():
        if "scores" not in results:
            raise UsageError(f"{folder} is a study; compare runs with runs")
    names = [results["recipe"]["name"] for results in found.values()]
    first = next(iter(found.values()))
    rows = [_row(results) for results in found.values() if _task_scores(results)]
    codes = sorted({code for row in rows for code in row["languages"]})
    title = f"Run {names[0]}" if len(names) == 1 else f"Runs {', '.join(names)}"
    told: dict[str, Any] = {
        "study": {"name": names[0], "title": title, "question": _question(first) if len(names) == 1 else ""},
        "kind": "run",
        "rows": rows,
        "without_answers": [each for results in found.values() if (each := _without_answers(results))],
        "worries": [line for results in found.values() for line in _worries(results, several=len(names) > 1)],
        "languages": {code: asdict(language_of(code)) for code in codes},
        "language_source": source_of_metadata(),
        "samples": [sample for folder, results in found.items() for sample in _samples(folder, results)],
        "training": [
            {"name": results["recipe"]["name"], "phases": curves_of(RunFolder(folder))}
            for folder, results in found.items()
        ],
        "recipe": "\n---\n".join(Recipe.stored(r["recipe"], at).as_yaml() for at, r in found.items()),
        "versions": first["versions"],
    }
    return told | {"headline": run_headline(told)}


def _read(folder: Path) -> dict[str, Any]:
    require_folder(folder, UsageError)
    path = folder / "results.json"
    try:
        results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder} holds no finished run or study: {path.name} cannot be read") from error
    if not {"scores", "rows"} & set(results):
        raise UsageError(f"{path} is neither of a run nor of a study")
    return results


def _question(results: Mapping[str, Any]) -> str:
    recipe = results["recipe"]
    limit = recipe["evaluate"]["limit"]
    some = f", the first {limit} examples of each language" if limit else ""
    return f"{recipe['target']['task']} in {recipe['model']['id']}, split {recipe['evaluate']['split']}{some}"


def _task_scores(results: Mapping[str, Any]) -> Mapping[str, Any]:
    (scores,) = results["scores"].values()
    return scores  # type: ignore[no-any-return]


def _without_answers(results: Mapping[str, Any]) -> dict[str, Any]:
    """The target with the languages that have predictions and no score; nothing where all have one."""
    told = results.get("evaluation", {})
    if not (languages := told.get("without_answers")):
        return {}
    (target,) = results["scores"]
    return {"target": target, "languages": languages, "answers_at": told.get("answers_at", "")}


def _worries(results: Mapping[str, Any], *, several: bool) -> list[str]:
    name = results["recipe"]["name"]
    return [f"{name}: {line}" if several else line for line in worries(results)]


def _row(results: Mapping[str, Any]) -> dict[str, Any]:
    recipe = results["recipe"]
    (task,) = results["scores"]
    scores, baseline, gain = (results.get(side, {}).get(task, {}) for side in ("scores", "baseline", "gain"))
    means = mean_of_others(results, task)[1]
    labelled = with_labels(results)
    only = next((code for code in reversed(labelled) if code in scores), next(iter(scores)))
    intermediate = recipe["intermediate"] and recipe["target"]["transfer"] != "none"
    seed = recipe["seed"]
    return {
        "model": recipe["model"]["id"],
        "intermediate": " + ".join(_titles(recipe["intermediate"])) if intermediate else "none",
        "target": task,
        "size": (recipe["intermediate"]["train"]["limit"] if intermediate else None) or "",
        "transfer": recipe["target"]["transfer"],
        "module": recipe["target"]["module"]["kind"],
        "seeds": [seed],
        "labelled": list(labelled),
        "metric": scores[only]["metric"],
        "score": means.get("scores") or scores[only],
        "baseline": means.get("baseline") or baseline.get(only),
        "gain": _called(means.get("gain") or gain.get(only)),
        "languages": {
            code: {
                "n": score["n"],
                "score": score,
                "baseline": baseline.get(code),
                "gain": _called(gain.get(code)),
            }
            for code, score in scores.items()
        },
        "cost": {"training_seconds": results["cost"]["training_seconds"]},
    }


def _titles(intermediate: Mapping[str, Any]) -> list[str]:
    """The tasks, or the packages that stood for them."""
    return intermediate["tasks"] or [package_title(package["id"]) for package in intermediate["package"]]


def _called(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {**found, "call": "one seed"} if found else None


def _samples(folder: Path, results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where the data is still there."""
    recipe = Recipe.stored(results["recipe"], folder)
    (task,) = results["scores"]
    try:
        target, tests = read_tests(recipe, list(results["scores"][task]))
        languages = {
            code: samples_of(target, examples, folder / SYSTEM_FOLDER, recipe.evaluate.split, code)[:SAMPLES]
            for code, examples in tests.items()
        }
    except DataError:
        return []
    after = " + ".join(recipe.intermediate.titles) if recipe.intermediate else "no intermediate task"
    about = {"licence": target.licence, "citation": target.citation}
    return [{"target": task, "system": f"after {after}", **about, "languages": languages}]
