"""Prediction files of XTREME's submission format, whoever wrote them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lowres_stilts.data.readers import read_lines
from lowres_stilts.errors import DataError
from lowres_stilts.names import unreadable

Pair = tuple[str, ...]


def read_labels(path: Path) -> list[str]:
    """A label in each line.

    Raises:
        DataError: the file cannot be read or a line has several columns.
    """
    return [_cell(path, number, line) for number, line in read_lines(path)]


def read_tags(path: Path) -> list[list[str]]:
    """The tags of each sentence, one per line; blank lines stand between sentences.

    Raises:
        DataError: the file cannot be read or a line has several columns.
    """
    return split_sentences([_cell(path, number, line) for number, line in read_lines(path)])


def split_sentences(tags: list[str]) -> list[list[str]]:
    """Sentences of a list of tags with an empty text between any two."""
    sentences: list[list[str]] = [[]]
    for tag in tags:
        if tag:
            sentences[-1].append(tag)
        elif sentences[-1]:
            sentences.append([])
    return sentences if sentences[-1] else sentences[:-1]


def read_pairs(path: Path) -> list[Pair]:
    """Source id and target id of each line; a blank line is a pair to XTREME's script, so it is one here.

    Raises:
        DataError: the file cannot be read or a line does not have two columns.
    """
    pairs: list[Pair] = []
    for number, line in read_lines(path):
        pair = tuple(line.strip().split("\t"))
        if len(pair) != 2 and pair != ("",):
            raise DataError(f"{path}:{number}: expected source id, tab, target id; found {len(pair)} columns")
        pairs.append(pair)
    return pairs


def read_answers(path: Path) -> dict[str, str | None]:
    """The answer to each question; null is no answer.

    Raises:
        DataError: the file is not JSON of this form.
    """
    answers = read_object(path)
    for question, answer in answers.items():
        if answer is not None and not isinstance(answer, str):
            raise DataError(f"{path}: the answer to {question!r} is {type(answer).__name__}, not a text")
    return answers


def read_rankings(path: Path) -> dict[str, list[str]]:
    """The candidates of each query, best first.

    Raises:
        DataError: the file is not JSON of this form.
    """
    rankings = read_object(path)
    for query, candidates in rankings.items():
        if not isinstance(candidates, list) or not all(isinstance(each, str) for each in candidates):
            raise DataError(f"{path}: expected a list of ids for {query!r}")
    return rankings


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object, or what it has under "data".

    Raises:
        DataError: the file is not JSON of this form.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected a JSON object that maps ids to predictions")
    return content


def read_json(path: Path) -> Any:
    """The content of a JSON file, or what it has under "data".

    Raises:
        DataError: it cannot be read or is no JSON.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(unreadable(path, error)) from error
    except RecursionError as error:
        raise DataError(f"{path}: not valid JSON (nested too deeply)") from error
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are, and a number may be too long
        raise DataError(f"{path}: not valid JSON ({error})") from error
    return content["data"] if isinstance(content, Mapping) and "data" in content else content


def _cell(path: Path, number: int, line: str) -> str:
    cell = line.strip()
    if "\t" in cell:
        raise DataError(f"{path}:{number}: expected one label in a line, found {cell.count(chr(9)) + 1} columns")
    return cell
