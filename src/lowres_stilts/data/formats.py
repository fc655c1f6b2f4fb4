"""Which format a file has, by its name and its first lines: for everything that reads files of records."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lowres_stilts.data.readers import Record, read_jsonl, read_lines, shown
from lowres_stilts.errors import DataError

JSON_LINES = {".jsonl", ".ndjson"}
DELIMITERS = {",": "comma-separated", ";": "semicolon-separated", "\t": "tab-separated"}
QUOTED = re.compile(r'"(?:[^"]|"")*"')
"""A whole cell in quotes, as Python's csv and spreadsheets write it."""


def is_json(path: Path) -> bool:
    """Whether the name says JSON or JSON lines; upper case counts as lower case."""
    return path.suffix.lower() in {*JSON_LINES, ".json"}


def read_json(path: Path) -> Iterator[Record]:
    """Records of JSON lines, or of a `.json` file with one list of objects, which stand at `[index]`.

    Raises:
        DataError: the file is neither.
    """
    if path.suffix.lower() in JSON_LINES:
        yield from read_jsonl(path)
        return
    first = next((line for _, line in read_lines(path) if line.strip()), "")
    if not first.lstrip().startswith("["):
        yield from read_jsonl(path)
        return
    for index, item in enumerate(_list(path)):
        if not isinstance(item, dict):
            raise DataError(f"{path}:[{index}]: expected a JSON object, found {shown(item)}")
        yield Record(path, f"[{index}]", item)


def refuse_other_format(path: Path, columns: Sequence[str], number: int, line: str) -> None:
    """Stops where a line of a tab-separated file without tabs is JSON, or the header of a CSV file.

    Args:
        path: the file.
        columns: the columns that it should have.
        number: of the line.
        line: without tabs.

    Raises:
        DataError: the line is of another format.
    """
    bare = line.strip()
    if bare.startswith("{") and bare.endswith("}"):
        raise DataError(f"{path}:{number}: expected tab-separated columns, found JSON; name such a file .jsonl")
    for delimiter in ",;":
        cells = {cell.strip(' "') for cell in line.split(delimiter)}
        if len(cells) > 1 and cells >= {columns[0]}:
            raise DataError(
                f"{path}:{number}: expected tab-separated columns, found {DELIMITERS[delimiter]} ones; "
                "name such a file .csv"
            )


def _list(path: Path) -> list[Any]:
    text = "\n".join(line for _, line in read_lines(path))
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise DataError(f"{path}: not valid JSON (nested too deeply)") from error
    except ValueError as error:  # a number of thousands of digits is one too
        if isinstance(error, json.JSONDecodeError):
            raise DataError(f"{path}:{error.lineno}: not valid JSON ({error.msg})") from error
        raise DataError(f"{path}: not valid JSON (a number is too long)") from error
    return list(found)
