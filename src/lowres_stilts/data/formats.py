"""Which format a file has, by its name and its first lines: for everything that reads files of records."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from lowres_stilts.data.readers import Record, first_line, read_jsonl, read_lines, shown
from lowres_stilts.errors import DataError

JSON = {".json", ".jsonl", ".ndjson"}
ALONE = {"{": ('"', "}"), "[": ("{", "]")}
"""What a document may begin with on a line of its own, and what comes then; else it is somebody's text."""
LIST_BEGINS = re.compile(r"\[\s*($|\{)")
MARKUP = re.compile(r"<(\?xml|!doctype|html)\b", re.IGNORECASE)


def is_json(path: Path) -> bool:
    """Whether the name says JSON or JSON lines, in lower case or upper, or the first line begins such a file."""
    if path.suffix.lower() in JSON:
        return True
    line = first_line(path)[1].strip()
    if line in ALONE:
        return _second_line(path).startswith(ALONE[line])
    return bool(LIST_BEGINS.match(line)) or _object(line) is not None


def _second_line(path: Path) -> str:
    """What follows the first line that is not blank, blank ones left out."""
    several = (line.strip() for _, line in read_lines(path) if line.strip())
    return next(islice(several, 1, None), "")


def has_records(path: Path) -> bool:
    """Whether a file has JSON lines or a list of objects, by its name and first line, and not one document."""
    if path.suffix.lower() in JSON - {".json"} or not is_json(path):
        return True
    line = first_line(path)[1].strip()
    found = _object(line)
    return line.startswith("[") or (found is not None and "data" not in found)


def is_csv(path: Path) -> bool:
    """Whether the name says CSV."""
    return path.suffix.lower() == ".csv"


def read_json(path: Path) -> Iterator[Record]:
    """Records of JSON lines, or of one list of objects, which stand at `[index]`.

    Raises:
        DataError: the file is neither.
    """
    number, line = first_line(path)
    if line.strip() and not is_json(path):
        raise DataError(
            f"{path}:{number}: expected JSON, found {shown(line)}; write an object in each line, or a list of them"
        )
    if not line.lstrip().startswith("["):
        if line.strip() == "{":
            raise DataError(f"{path}:{number}: expected an object in each line, or a list of objects, found '{{'")
        yield from read_jsonl(path)
        return
    for index, item in enumerate(read_document(path)):
        if not isinstance(item, dict):
            raise DataError(f"{path}:[{index}]: expected a JSON object, found {shown(item)}")
        yield Record(path, f"[{index}]", item)


def read_document(path: Path) -> Any:
    """The value of a file that is one JSON document.

    Raises:
        DataError: it is none.
    """
    text = "\n".join(line for _, line in read_lines(path))
    try:
        return json.loads(text)
    except RecursionError as error:
        raise DataError(f"{path}: not valid JSON (nested too deeply)") from error
    except ValueError as error:  # a number of thousands of digits is one too
        if isinstance(error, json.JSONDecodeError):
            raise DataError(f"{path}:{error.lineno}: not valid JSON ({error.msg})") from error
        raise DataError(f"{path}: not valid JSON (a number is too long)") from error


def refuse_markup(path: Path) -> None:
    """Stops where the lines of a file of bare texts are those of a known format that is not read.

    Raises:
        DataError: the file is XML, HTML, or for fastText.
    """
    number, line = first_line(path)
    if MARKUP.match(line.lstrip()):
        raise DataError(
            f"{path}:{number}: expected texts, found {shown(line)}; write them as CSV, TSV or JSON lines"
        )
    if line.startswith("__label__"):
        raise DataError(
            f"{path}:{number}: expected a text, a tab and a label, found a line for fastText, {shown(line)}"
        )


def _object(line: str) -> dict[str, Any] | None:
    if not (line.startswith("{") and line.endswith("}")):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
