"""Strict readers: every record is whole and in its place, or the error names file and line."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from lowres_stilts.errors import DataError


@dataclass(frozen=True)
class Record:
    """Named fields of one record and where it stands."""

    path: Path
    line: int
    fields: dict[str, Any]

    def error(self, problem: str) -> DataError:
        """A data error that starts with this record's file and line."""
        return DataError(f"{self.path}:{self.line}: {problem}")

    def text(self, name: str) -> str:
        """A field that must be a string with something to read in it.

        Raises:
            DataError: it is missing, blank or no string.
        """
        value = self.fields.get(name)
        if not is_text(value):
            raise self.error(f"field {name!r} must be a text, found {_shown(value)}")
        if not value.strip():
            raise self.error(f"field {name!r} is empty")
        return value


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines of a UTF-8 file, without line ends; a byte-order mark and CRLF are tolerated.

    Raises:
        DataError: there is no such file, it cannot be read, or a line is not UTF-8.
    """
    try:
        with path.open("rb") as handle:
            for number, raw in enumerate(handle, start=1):
                body = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
                try:
                    yield number, body.rstrip(b"\r\n").decode("utf-8")
                except UnicodeDecodeError as error:
                    raise DataError(f"{path}:{number}: not valid UTF-8 ({error.reason})") from error
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file; check data.dir, or name the file under data.files in the recipe"
        ) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def read_tsv(path: Path, columns: Sequence[str], label: str | None = None) -> Iterator[Record]:
    """Records of a tab-separated file without quoting; a first line that names the columns is skipped.

    Args:
        path: the file.
        columns: the names of the columns, in order.
        label: the column that a test file without labels may leave out; it must be the last one.

    Raises:
        DataError: a line has another number of columns.
    """
    allowed = {len(columns)} if label is None else {len(columns), len(columns) - 1}
    for number, line in read_lines(path):
        cells = line.split("\t")
        if number == 1 and cells in (list(columns), list(columns[: min(allowed)])):
            allowed = {len(cells)}
            continue
        if len(cells) not in allowed:
            raise DataError(
                f"{path}:{number}: expected {max(allowed)} tab-separated columns "
                f"({', '.join(columns[: max(allowed)])}), found {len(cells)}"
            )
        # The first record decides whether the file has labels; the others must be like it.
        allowed = {len(cells)}
        yield Record(path, number, dict(zip(columns, cells, strict=False)))


def read_jsonl(path: Path) -> Iterator[Record]:
    """Records of a file with one JSON object per line; blank lines are skipped.

    Raises:
        DataError: a line is no JSON object.
    """
    for number, line in read_lines(path):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except RecursionError as error:
            raise DataError(f"{path}:{number}: not valid JSON (nested too deeply)") from error
        except ValueError as error:  # a number of thousands of digits is one too
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "a number is too long"
            raise DataError(f"{path}:{number}: not valid JSON ({reason})") from error
        if not isinstance(value, dict):
            raise DataError(f"{path}:{number}: expected a JSON object, found {_shown(value)}")
        yield Record(path, number, value)


def read_conll(path: Path) -> Iterator[Record]:
    """Sentences of a file with a token and its tag per line and blank lines between sentences.

    A file without tags has the tokens alone. Each record has `tokens`, `tags` (or none) and stands at its
    first token's line.

    Raises:
        DataError: a line has neither one nor two columns, an empty one, or tags come and go within the file.
    """
    sentence: list[list[str]] = []
    start = 1
    width = 0
    for number, line in read_lines(path):
        if not line.strip():
            if sentence:
                yield _sentence(path, start, sentence)
            sentence = []
            continue
        cells = line.split("\t")
        width = width or min(len(cells), 2)
        if len(cells) != width or not all(cell.strip() for cell in cells):
            wanted = "a token, a tab and a tag" if width == 2 else "a token alone"
            raise DataError(f"{path}:{number}: expected {wanted}, found {_shown(line)}")
        if not sentence:
            start = number
        sentence.append(cells)
    if sentence:
        yield _sentence(path, start, sentence)


def _sentence(path: Path, line: int, rows: list[list[str]]) -> Record:
    tokens = [row[0] for row in rows]
    tags = [row[1] for row in rows] if len(rows[0]) == 2 else None
    return Record(path, line, {"tokens": tokens, "tags": tags})


def is_text(value: object) -> TypeGuard[str]:
    """Whether this is Unicode text; JSON can spell halves of surrogate pairs, which are none."""
    try:
        return isinstance(value, str) and bool(value.encode() or True)
    except UnicodeEncodeError:
        return False


def _shown(value: object) -> str:
    shown = "nothing" if value is None else repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
