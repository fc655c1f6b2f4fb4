"""Prediction files in XTREME's submission format."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lowres_stilts.data.examples import Pool, Query
from lowres_stilts.errors import DataError
from lowres_stilts.names import file_name
from lowres_stilts.storage import write_text
from lowres_stilts.tasks.task import Task


@dataclass(frozen=True)
class _Format:
    """How predictions are written, and read back for the same examples."""

    suffix: str
    write: Callable[[Sequence[Any], Sequence[Any]], str]
    """From examples and predictions."""
    read: Callable[[str, Sequence[Any]], list[Any]]
    """From the text and the examples."""


def _lines(examples: Sequence[Any], predictions: Sequence[Any]) -> str:
    return "".join(f"{prediction}\n" for prediction in predictions)


def _read_lines(text: str, examples: Sequence[Any]) -> list[str]:
    return text.removesuffix("\n").split("\n")


def _read_numbers(text: str, examples: Sequence[Any]) -> list[int]:
    return [int(line) for line in _read_lines(text, examples)]


def _tags(examples: Sequence[Any], predictions: Sequence[Sequence[str]]) -> str:
    return "".join("".join(f"{tag}\n" for tag in tags) + "\n" for tags in predictions)


def _read_tags(text: str, examples: Sequence[Any]) -> list[tuple[str, ...]]:
    return [tuple(block.split("\n")) for block in text.rstrip("\n").split("\n\n")]


def _by_id(examples: Sequence[Any], predictions: Sequence[Any]) -> str:
    pairs = {_id(example): answer for example, answer in zip(examples, predictions, strict=True)}
    return json.dumps(pairs, ensure_ascii=False, indent=1) + "\n"


def _read_by_id(text: str, examples: Sequence[Any]) -> list[Any]:
    answers = json.loads(text)
    found = [answers[_id(example)] for example in examples]
    return [tuple(answer) if isinstance(answer, list) else answer for answer in found]


def _pairs(examples: Sequence[Query], predictions: Sequence[str | None]) -> str:
    pairs = zip(examples, predictions, strict=True)
    return "".join(f"{query.passage.id}\t{target}\n" for query, target in pairs if target is not None)


def _read_pairs(text: str, examples: Sequence[Query]) -> list[str | None]:
    found = dict(line.split("\t") for line in text.splitlines())
    return [found.get(query.passage.id) for query in examples]


def _id(example: Any) -> str:
    name: str = example.passage.id if isinstance(example, Query) else example.id
    return name


def _json_lines(examples: Sequence[Any], predictions: Sequence[Any]) -> str:
    return "".join(f"{json.dumps(prediction, ensure_ascii=False)}\n" for prediction in predictions)


def _read_json_lines(text: str, examples: Sequence[Any]) -> list[Any]:
    found = [json.loads(line) for line in _read_lines(text, examples)]
    return [tuple(answer) if isinstance(answer, list) else answer for answer in found]


_LINES = _Format("tsv", _lines, _read_lines)
_NUMBERS = _Format("tsv", _lines, _read_numbers)
_TAGS = _Format("tsv", _tags, _read_tags)
_JSON = _Format("json", _by_id, _read_by_id)
_PAIRS = _Format("tsv", _pairs, _read_pairs)
_OTHERS = _Format("jsonl", _json_lines, _read_json_lines)
"""Of families that XTREME does not have."""


def _format(task: Task) -> _Format:
    if task.family == "retrieval":
        return {"nearest": _LINES, "mine": _PAIRS, "rank": _JSON}[task.search]
    by_family = {"classification": _LINES, "multiple_choice": _NUMBERS, "tagging": _TAGS, "qa": _JSON}
    return by_family.get(task.family, _OTHERS)


def prediction_file(task: Task, split: str, language: str) -> str:
    """The name of a file of predictions."""
    return f"{split}-{file_name(language)}.{_format(task).suffix}"


def write_predictions(path: Path, task: Task, examples: Sequence[Any] | Pool, predictions: Sequence[Any]) -> None:
    """One label or candidate per line; tags with a blank line after each sentence; answers by question in JSON."""
    write_text(path, _format(task).write(_queries(examples), predictions))


def read_predictions(path: Path, task: Task, examples: Sequence[Any] | Pool) -> list[Any]:
    """What `write_predictions` wrote for these examples.

    Raises:
        DataError: the file cannot be read or has another number of predictions.
    """
    try:
        predictions = _format(task).read(path.read_text(encoding="utf-8"), _queries(examples))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: cannot be read as predictions of {task.name}: {error}") from error
    if len(predictions) != len(examples):
        raise DataError(f"{path}: {len(predictions)} predictions for {len(examples)} examples")
    return predictions


def _queries(examples: Sequence[Any] | Pool) -> Sequence[Any]:
    return examples.queries if isinstance(examples, Pool) else examples
