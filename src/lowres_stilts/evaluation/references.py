"""Gold answers of the benchmarks: XTREME's label folder, or the labelled files of its download folder."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lowres_stilts.data.readers import content_lines, read_jsonl, read_lines
from lowres_stilts.data.withheld import are_placeholder_labels, is_placeholder_answer, is_sorted
from lowres_stilts.errors import DataError
from lowres_stilts.evaluation.answers import Answers
from lowres_stilts.evaluation.benchmark_files import read_json, read_pairs, read_rankings, split_sentences
from lowres_stilts.tasks.catalog import labels

_LANGUAGE = re.escape("{lang}")


class WithheldError(DataError):
    """A reference file has no answers, as XTREME's download script leaves it."""


@dataclass(frozen=True)
class Source:
    """Where a task's gold answers may be, `{lang}` standing for the language, and how they are read."""

    pattern: str
    read: Callable[[Path], Any]


def find_reference(folder: Path, task: str, language: str) -> tuple[Path, Source] | None:
    """The first file that there is, the label folder's before the download folder's."""
    for source in SOURCES[task]:
        path = folder / source.pattern.format(lang=language)
        if path.exists():
            return path, source
    return None


def reference_languages(folder: Path, task: str) -> tuple[str, ...]:
    """Languages that a task has gold answers in, sorted."""
    found = set()
    for source in SOURCES[task]:
        place = folder / source.pattern
        name = re.escape(place.name).replace(_LANGUAGE, r"([\w-]+)", 1).replace(_LANGUAGE, r"\1")
        found |= {match[1] for path in place.parent.glob("*") if (match := re.fullmatch(name, path.name))}
    return tuple(sorted(found))


def read_gold_labels(path: Path) -> list[str]:
    """The last column of each line.

    Raises:
        DataError: a label is missing.
        WithheldError: there are two columns, as in files without labels.
    """
    labels = []
    for number, line in content_lines(path):
        cells = line.split("\t")
        if len(cells) == 2 and number == 1:
            raise WithheldError(f"{path}:{number}: no label in the last column")
        if len(cells) == 2 or (len(cells) > 2 and not cells[-1].strip()):
            raise DataError(f"{path}:{number}: no label in the last column")
        labels.append(cells[-1].strip())
    return labels


def read_gold_tags(path: Path, known: Collection[str]) -> list[list[str]]:
    """The last column of each line, by sentence.

    Args:
        path: lines of tags, or of tokens and tags.
        known: the tags of the task, by which tags are told from bare tokens.

    Raises:
        DataError: a tag is missing.
        WithheldError: fewer than half of what is there are tags.
    """
    tags = []
    for number, line in read_lines(path):
        tag = line.split("\t")[-1].strip()
        if line.strip() and not tag:
            raise DataError(f"{path}:{number}: no tag in the last column")
        tags.append(tag)
    found = [tag for tag in tags if tag]
    if 2 * sum(tag in known for tag in found) < len(found):
        raise WithheldError(f"{path}: tokens without tags")
    return split_sentences(tags)


def read_questions(path: Path) -> list[tuple[str, Answers]]:
    """The id of each question of a file in SQuAD's format and its answers.

    Raises:
        DataError: it is not in that format, or a question has no answer.
        WithheldError: an answer is a placeholder.
    """
    try:
        questions = [
            (question["id"], tuple(answer["text"] for answer in question["answers"]))
            for question in _answered(path, _questions(read_json(path)))
        ]
    except (TypeError, KeyError) as error:
        raise DataError(f"{path}: not in SQuAD's format ({error!r})") from error
    for question, answers in questions:
        if not answers:
            raise DataError(f"{path}: question {question!r} has no answer; is this a file without labels?")
        if not all(isinstance(text, str) for text in (question, *answers)):
            raise DataError(f"{path}: not in SQuAD's format (question {question!r})")
    return questions


def _answered(path: Path, questions: Iterator[Any]) -> Iterator[Any]:
    for question in questions:
        if is_placeholder_answer(question["answers"]):
            raise WithheldError(f"{path}: question {question['id']!r} has an empty answer")
        yield question


def read_gold_rankings(path: Path) -> list[tuple[str, Answers]]:
    """The id of each query and the right ids.

    Raises:
        DataError: it is no JSON object of lists of ids.
        WithheldError: an id is a placeholder.
    """
    gold = read_rankings(path)
    for query, ids in gold.items():
        if ids == [""]:
            raise WithheldError(f"{path}: the right id for {query!r} is empty")
        if not ids:
            raise DataError(f"{path}: nothing is right for {query!r}")
    return [(query, tuple(each.strip() for each in ids)) for query, ids in gold.items()]


def read_choices(path: Path) -> list[str]:
    """The field `label` of each line.

    Raises:
        DataError: a line is no JSON object with a label.
        WithheldError: all labels are placeholders.
    """
    labels = []
    for record in read_jsonl(path):
        if not isinstance(record.fields.get("label"), int | str):
            raise record.error("no label")
        labels.append(str(record.fields["label"]))
    if are_placeholder_labels(labels):
        raise WithheldError(f"{path}: every label is 0")
    return labels


def read_parallel_labels(path: Path) -> list[str]:
    """Tatoeba's: line i is the translation of line i.

    Raises:
        WithheldError: the English side is sorted.
    """
    english = path.with_suffix(".en")
    if english.exists() and is_sorted([line for _, line in content_lines(english)]):
        raise WithheldError(f"{english}: the sentences are sorted")
    return [str(index) for index, _ in enumerate(content_lines(path))]


def read_lareqa(path: Path) -> list[tuple[str, Answers]]:
    """The sentences that answer each question of a language, in all languages beside it (Roy et al. 2020).

    A question's id is `<id>_<lang>`, that of a sentence `<lang>_<paragraph, from 1>_<sentence, from 0>`.

    Raises:
        DataError: a file of the folder is not in SQuAD's format with sentence breaks.
    """
    right: dict[str, list[str]] = {}
    asked: dict[str, None] = {}
    for file in sorted(path.parent.glob("*.json")):
        try:
            for question, sentences in _answering_sentences(read_json(file), file.stem):
                right.setdefault(question, []).extend(sentences)
                if file == path and sentences:
                    asked[question] = None
        except (TypeError, KeyError, ValueError, IndexError) as error:
            raise DataError(f"{file}: not in LAReQA's format ({error!r})") from error
    return [(f"{question}_{path.stem}", tuple(right[question])) for question in asked]


def _answering_sentences(articles: Any, language: str) -> Iterator[tuple[str, list[str]]]:
    """Each question with the sentences that its answer begins in, or equals, of its paragraph."""
    paragraphs = (paragraph for article in articles for paragraph in article["paragraphs"])
    for number, paragraph in enumerate(paragraphs, start=1):
        context, breaks = paragraph["context"], paragraph["sentence_breaks"]
        sentences = [context[start:end] for start, end in breaks]
        for question in paragraph["qas"]:
            begin = question["answers"][0]["answer_start"]
            around = [context[start:end] for start, end in breaks if start <= begin < end][:1]
            places = [place for place, text in enumerate(sentences) if [text] == around]
            yield question["id"], [f"{language}_{number}_{place}" for place in places]


def _questions(articles: Any) -> Iterator[Any]:
    for article in articles:
        for paragraph in article["paragraphs"]:
            yield from paragraph["qas"]


def _sources(
    task: str, read: Callable[[Path], Any], *downloads: Source, suffix: str = "tsv"
) -> tuple[Source, ...]:
    return (Source(f"{task}/test-{{lang}}.{suffix}", read), *downloads)


SOURCES: Mapping[str, tuple[Source, ...]] = MappingProxyType(
    {
        "xnli": _sources("xnli", read_gold_labels),
        "pawsx": _sources("pawsx", read_gold_labels),
        "xcopa": _sources(
            "xcopa",
            read_gold_labels,
            Source("xcopa/test-{lang}.jsonl", read_choices),
            Source("xcopa/test.{lang}.jsonl", read_choices),
        ),
        "udpos": _sources("udpos", partial(read_gold_tags, known=(*labels.UPOS, "_"))),
        "panx": _sources("panx", partial(read_gold_tags, known=labels.NER)),
        "xquad": _sources(
            "xquad", read_questions, Source("xquad/xquad.{lang}.json", read_questions), suffix="json"
        ),
        "mlqa": _sources(
            "mlqa",
            read_questions,
            Source("mlqa/MLQA_V1/test/test-context-{lang}-question-{lang}.json", read_questions),
            suffix="json",
        ),
        "tydiqa": _sources(
            "tydiqa",
            read_questions,
            Source("tydiqa/tydiqa-goldp-v1.1-dev/tydiqa.goldp.{lang}.dev.json", read_questions),
            suffix="json",
        ),
        "bucc2018": _sources("bucc2018", read_pairs, Source("bucc2018/{lang}-en.test.gold", read_pairs)),
        "tatoeba": _sources("tatoeba", read_gold_labels, Source("tatoeba/{lang}-en.{lang}", read_parallel_labels)),
        "mewslix": _sources(
            "mewslix",
            read_gold_rankings,
            Source("mewslix/wikinews_labels/test-{lang}.json", read_gold_rankings),
            suffix="json",
        ),
        "lareqa": _sources(
            "lareqa", read_gold_rankings, Source("lareqa/xquad-r/{lang}.json", read_lareqa), suffix="json"
        ),
    }
)
"""XTREME's label folder first, then its download folder. PAN-X's public test files have no labels."""
