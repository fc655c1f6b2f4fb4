"""XTREME and XTREME-R: which tasks, languages and averages, and the scores of a submission.

XTREME (Hu et al. 2020) is scored as its script `evaluate.py` does, to the last digit. XTREME-R (Ruder et al. 2021)
has the same averages over its own tasks, but the languages of its script could not be compared: here a task of
XTREME-R is complete when every reference file has its prediction file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lowres_stilts.data.withheld import answers_unknown
from lowres_stilts.errors import DataError, UsageError
from lowres_stilts.evaluation.benchmark_tasks import TASKS, BenchmarkTask, score_file
from lowres_stilts.evaluation.references import SOURCES, WithheldError, find_reference, reference_languages
from lowres_stilts.names import require_folder
from lowres_stilts.tasks.catalog import REGISTRY


@dataclass(frozen=True)
class Benchmark:
    """Tasks in the order of the results, and their groups."""

    name: str
    tasks: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    languages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of each task; where there are none, those of the reference files."""


@dataclass
class BenchmarkReport:
    """What a submission scores, and what of it could not be."""

    scores: dict[str, Any] = field(default_factory=dict)
    """As XTREME's script has them, in points: `all_task`, groups, and for each task figures by language."""
    languages: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What a complete submission has of each task."""
    missing: list[str] = field(default_factory=list)
    """Prediction files that are not there, relative to the submission."""
    unusable: list[str] = field(default_factory=list)
    """Prediction files that could not be scored, each with the reason, in a line."""
    without_answers: dict[str, list[str]] = field(default_factory=dict)
    """Languages by task whose reference files have no answers, as XTREME's download script leaves them."""

    def withheld(self) -> list[str]:
        """A line for each task with such languages, which says where labelled files are to be had."""
        return [
            answers_unknown(task, languages, REGISTRY[task].answers_at)
            for task, languages in self.without_answers.items()
        ]


def score_benchmark(name: str, predictions: Path, references: Path) -> BenchmarkReport:
    """Scores a folder in XTREME's submission format, complete or not.

    Averages go over what is there; a group has a figure only when all its tasks are complete.

    Args:
        name: "xtreme" or "xtreme-r".
        predictions: has `<task>/test-<lang>.tsv`, or `.json`.
        references: XTREME's label folder or its download folder.

    Raises:
        UsageError: there is no such benchmark or folder.
        DataError: not one file could be scored.
    """
    if name not in BENCHMARKS:
        raise UsageError(f"unknown benchmark {name!r}; there are {' and '.join(BENCHMARKS)}")
    for folder in (predictions, references):
        require_folder(folder, UsageError)
    benchmark, report = BENCHMARKS[name], BenchmarkReport()
    tasks = {
        task: _score_task(TASKS[task], benchmark, predictions, references, report) for task in benchmark.tasks
    }
    details = {task: scores for task, scores in tasks.items() if scores}
    if not details:
        raise DataError(f"{predictions}: nothing could be scored{_reasons(report)}")
    report.scores = _group_scores(benchmark, details, report) | details
    return report


def _reasons(report: BenchmarkReport) -> str:
    """What kept a submission from any score, after the words that say so."""
    if withheld := report.withheld():
        return f"; {'; '.join(withheld)}"
    found = f"{len(report.missing)} prediction files are missing, {len(report.unusable)} could not be used"
    return f"; {found}; {report.unusable[0]}" if report.unusable else f"; {found}, such as {report.missing[0]}"


def _score_task(
    task: BenchmarkTask, benchmark: Benchmark, predictions: Path, references: Path, report: BenchmarkReport
) -> dict[str, Any]:
    """Figures by language and their averages; what is missing goes into the report."""
    languages = benchmark.languages.get(task.name) or reference_languages(references, task.name)
    report.languages[task.name] = languages
    if not languages:
        report.missing.append(f"{task.name}/ (and it has no references)")
    by_language = {}
    for language in languages:
        path = predictions / task.file(language)
        if not path.exists():
            report.missing.append(task.file(language))
            continue
        try:
            by_language[language] = _score_language(task, language, path, references)
        except WithheldError:
            report.without_answers.setdefault(task.name, []).append(language)
        except DataError as error:
            report.unusable.append(str(error))
    if not by_language:
        return {}
    figures: dict[str, Any] = {
        figure: {language: scores[figure] for language, scores in by_language.items()} for figure in task.figures
    }
    averages = {figure: sum(values.values()) / len(values) for figure, values in figures.items()}
    named = {f"avg_{figure}": average for figure, average in averages.items()}
    return figures | named | {"avg_metric": task.average(averages)}


def _score_language(task: BenchmarkTask, language: str, path: Path, references: Path) -> dict[str, float]:
    reference = find_reference(references, task.name, language)
    if reference is None:
        places = " or ".join(source.pattern.format(lang=language) for source in SOURCES[task.name])
        raise DataError(f"{path}: no reference; there is no {places} in {references}")
    return score_file(task, language, path, *reference)


def _group_scores(
    benchmark: Benchmark, details: Mapping[str, dict[str, Any]], report: BenchmarkReport
) -> dict[str, float]:
    """Means over the tasks of what is complete, all tasks first."""
    complete = {
        task
        for task, scores in details.items()
        if set(report.languages[task]) == set(scores[TASKS[task].figures[0]])
    }
    return {
        group: sum(details[task]["avg_metric"] for task in tasks) / len(tasks)
        for group, tasks in {"all_task": benchmark.tasks, **benchmark.groups}.items()
        if complete >= set(tasks)
    }


_XTREME_LANGUAGES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        task: tuple(languages.split())
        for task, languages in {
            "pawsx": "de en es fr ja ko zh",
            "xnli": "ar bg de el en es fr hi ru sw th tr ur vi zh",
            "panx": "ar he vi id jv ms tl eu ml ta te af nl en de el bn hi mr ur fa fr it pt es bg ru ja ka ko th "
            "sw yo my zh kk tr et fi hu",
            "udpos": "af ar bg de el en es et eu fa fi fr he hi hu id it ja kk ko mr nl pt ru ta te th tl tr ur "
            "vi yo zh",
            "bucc2018": "de fr ru zh",
            "tatoeba": "ar he vi id jv tl eu ml ta te af nl de el bn hi mr ur fa fr it pt es bg ru ja ka ko th sw "
            "zh kk tr et fi hu",
            "xquad": "en es de el ru tr ar vi th zh hi",
            "mlqa": "en es de ar hi vi zh",
            "tydiqa": "en ar bn fi id ko ru sw te",
        }.items()
    }
)
"""In the order in which XTREME's script adds them up."""

_QA = ("xquad", "mlqa", "tydiqa")

BENCHMARKS: Mapping[str, Benchmark] = MappingProxyType(
    {
        "xtreme": Benchmark(
            "xtreme",
            tuple(_XTREME_LANGUAGES),
            {
                "classification": ("pawsx", "xnli"),
                "tagging": ("udpos", "panx"),
                "qa": _QA,
                "retrieval": ("bucc2018", "tatoeba"),
            },
            _XTREME_LANGUAGES,
        ),
        "xtreme-r": Benchmark(
            "xtreme-r",
            ("xnli", "xcopa", "udpos", "panx", *_QA, "lareqa", "mewslix", "tatoeba"),
            {
                "classification": ("xnli", "xcopa"),
                "tagging": ("udpos", "panx"),
                "qa": _QA,
                "retrieval": ("lareqa", "mewslix", "tatoeba"),
            },
        ),
    }
)
