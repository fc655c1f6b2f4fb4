"""Whether the data of a folder is sound: what there is, what is malformed, what leaks, what is missing."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
from tokenizers import Tokenizer

from lowres_stilts.data.examples import ChoiceExample, Passage, Question, TaggedSentence, TextExample
from lowres_stilts.data.withheld import answers_unknown
from lowres_stilts.errors import DataError
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.tasks.reading import LeftOut
from lowres_stilts.tasks.source import FolderSource
from lowres_stilts.tasks.task import Split, Task
from lowres_stilts.text.literal import read_literally

EXAMPLES_AT_ONCE = 1000
SHOWN_OVERLAPS = 3
UNLABELLED = "unlabelled"


@dataclass
class FileReport:
    """One split of a task in one language."""

    task: str
    split: str
    language: str
    file: str
    examples: int = 0
    labels: dict[str, int] = field(default_factory=dict)
    """How often each label occurs; `unlabelled` for those without."""
    pieces: dict[str, float] = field(default_factory=dict)
    """Sub-words of an example: median, 95th percentile, longest, and the share above the task's `max_length`."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Examples that known defects of the published set make useless, by defect."""
    overlap: int = 0
    """Examples whose text is also in the English training split."""
    overlap_examples: list[int] = field(default_factory=list)
    """The first of them, counted from 1."""
    error: str | None = None
    """The first malformed record; nothing behind it was read."""


@dataclass(frozen=True)
class DataReport:
    """What `data check` found."""

    files: list[FileReport]
    missing: list[str]
    """Files that the tasks found here name and that are absent."""
    unused: list[str]
    """Files that belong to no task."""
    without_answers: list[str]
    """A line for each split without answers: in which languages, and where labelled files are to be had."""

    @property
    def malformed(self) -> list[FileReport]:
        """Those with an error."""
        return [report for report in self.files if report.error]

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "files": [asdict(report) for report in self.files],
            "missing": self.missing,
            "unused": self.unused,
            "without_answers": self.without_answers,
        }


def check_folder(
    source: FolderSource,
    tasks: Iterable[Task],
    tokenizer: Tokenizer,
    progress: Callable[[str], None] = lambda _: None,
    *,
    all_wanted: bool = False,
) -> DataReport:
    """Reads every file of these tasks; examples are never in memory as a whole.

    Args:
        source: a data folder, and the paths of files that are named otherwise than in the project's layout.
        tasks: those to look for.
        tokenizer: counts sub-words.
        progress: told which file is read.
        all_wanted: whether a task without any file is missing them; else it is left out.
    """
    reports: list[FileReport] = []
    missing: list[str] = []
    without_answers: list[str] = []
    known: set[Path] = set()
    for task in tasks:
        present, absent = _files(source, task)
        known.update(path for paths in present.values() for path in paths)
        if not (present or all_wanted):
            continue
        missing += [str(path) for path in absent]
        trained_on: set[bytes] = set()
        for (split, language), paths in present.items():
            progress(str(paths[0]))
            reports.append(_check(source, task, split, language, paths, tokenizer, trained_on))
        without_answers += _without_answers(task, [report for report in reports if report.task == task.name])
    return DataReport(reports, sorted(set(missing)), _unused(source.folder, known), without_answers)


def _without_answers(task: Task, reports: Iterable[FileReport]) -> Iterator[str]:
    """A line for each split of a task in which whole files are without labels."""
    by_split: dict[str, list[str]] = {}
    for report in reports:
        if report.examples and list(report.labels) == [UNLABELLED]:
            by_split.setdefault(report.split, []).append(report.language)
    for split, languages in by_split.items():
        yield answers_unknown(f"{task.name} {split}", languages, task.answers_at)


def _files(source: FolderSource, task: Task) -> tuple[dict[tuple[Split, str], list[Path]], list[Path]]:
    """Existing files by split and language, the training split first, and those that are absent."""
    present: dict[tuple[Split, str], list[Path]] = {}
    absent: list[Path] = []
    splits: tuple[Split, ...] = get_args(Split)
    for split in splits:
        for language in task.languages if split == "test" else dict.fromkeys((task.english, *task.languages)):
            paths = source.paths(task, split, language)
            if paths and all(path.exists() for path in paths):
                present[split, language] = paths
            elif split == "test" or (language == task.english and task.pool is None):
                absent += [path for path in paths if not path.exists()]
    return present, absent


def _check(
    source: FolderSource,
    task: Task,
    split: Split,
    language: str,
    paths: list[Path],
    tokenizer: Tokenizer,
    trained_on: set[bytes],
) -> FileReport:
    report = FileReport(task.name, split, language, str(paths[0]))
    labels: Counter[str] = Counter()
    lengths: list[int] = []
    left_out: LeftOut = Counter()
    try:
        for part in _parts(_texts(source, task, split, language, left_out)):
            for text, found in part:
                report.examples += 1
                labels.update(found)
                digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
                if split == "train" and language == task.english:
                    trained_on.add(digest)
                elif digest in trained_on:
                    report.overlap += 1
                    report.overlap_examples += [report.examples][: SHOWN_OVERLAPS - len(report.overlap_examples)]
            lengths += _lengths(tokenizer, [text for text, _ in part])
    except DataError as error:
        report.error = str(error)
    report.labels = dict(labels.most_common())
    for (*_, defect), count in sorted(left_out.items()):
        report.left_out[defect] = report.left_out.get(defect, 0) + count
    report.pieces = _summary(lengths, task.max_length)
    return report


def _parts(items: Iterator[tuple[str, list[str]]]) -> Iterator[list[tuple[str, list[str]]]]:
    part: list[tuple[str, list[str]]] = []
    for item in items:
        part.append(item)
        if len(part) == EXAMPLES_AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def _texts(
    source: FolderSource, task: Task, split: Split, language: str, left_out: LeftOut
) -> Iterator[tuple[str, list[str]]]:
    """The text of each example, fields joined, and its labels."""
    if task.pool is not None:
        pool = source.pool(task, split, language)
        yield from ((_joined(query.passage), _found(query.answers is not None)) for query in pool.queries)
        return
    for example in source.examples(task, split, language, left_out=left_out):
        yield _text(example), _labels(task, example)


def _text(example: Any) -> str:
    match example:
        case TextExample():
            return "\n".join(filter(None, (example.text, example.text_pair)))
        case ChoiceExample():
            return "\n".join((example.prompt, *example.choices))
        case TaggedSentence():
            return " ".join(example.words)
        case Question():
            return f"{example.question}\n{example.context}"
    raise TypeError(f"no text in {type(example).__name__}")


def _joined(passage: Passage) -> str:
    return "\n".join(filter(None, (passage.text, passage.text_pair)))


def _found(known: bool) -> list[str]:
    return ["labelled" if known else UNLABELLED]


def _labels(task: Task, example: Any) -> list[str]:
    gold = FAMILIES[task.family].gold(example)
    if gold is None:
        return [UNLABELLED]
    if task.family in {"qa", "mlm"}:
        return ["no answer"] if gold == () else ["labelled"]
    return [str(label) for label in gold] if isinstance(gold, tuple) else [str(gold)]


def _lengths(tokenizer: Tokenizer, texts: list[str]) -> list[int]:
    read_literally(tokenizer)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return [len(encoding.ids) for encoding in tokenizer.encode_batch(texts)]


def _summary(lengths: list[int], max_length: int) -> dict[str, float]:
    if not lengths:
        return {}
    median, high = np.percentile(lengths, [50, 95])
    above = float(np.mean(np.array(lengths) > max_length))
    return {
        "median": float(median),
        "p95": float(high),
        "longest": max(lengths),
        "above_max_length": round(above, 4),
    }


def _unused(folder: Path, known: set[Path]) -> list[str]:
    """Data files that no task names, helpers of a task's files (translations, gold pairs) left out."""
    beside = {path.with_suffix(suffix) for path in known for suffix in (".en", ".gold")}
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith("."))
    data = (path for path in files if path.suffix not in {".md", ".py"})
    return [str(path) for path in data if path not in known and path not in beside]
