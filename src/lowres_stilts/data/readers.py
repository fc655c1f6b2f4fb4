"""Strict readers: every record is whole and in its place, or the error names file and line."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from lowres_stilts.data.examples import Defect
from lowres_stilts.errors import DataError
from lowres_stilts.names import unreadable

BINARY = {
    b"PK\x03\x04": "a ZIP file, which an Excel sheet is, too",
    b"\xd0\xcf\x11\xe0": "an old Excel sheet",
    b"PAR1": "Parquet",
    b"\x1f\x8b": "a gzip file",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
"""How files begin that are taken for text by mistake."""


@dataclass(frozen=True)
class Record:
    """Named fields of one record and where it stands."""

    path: Path
    line: int | str
    """Its line, counted from 1, or its place in a file that is no list of lines."""
    fields: dict[str, Any]
    lines: tuple[int, ...] = ()
    """Of each token, where tokens have lines of their own."""
    defect: Defect | None = None
    """Why it has no fields, where its task tolerates that."""

    def error(self, problem: str) -> DataError:
        """A data error that starts with this record's file and line."""
        place = f"{self.path}:{self.line}" if self.line else str(self.path)
        return DataError(f"{place}: {problem}")

    def text(self, name: str, *, blank: bool = False) -> str:
        """A field that must be a string with something to read in it.

        Args:
            name: of the field.
            blank: whether it may be blank, or null.

        Raises:
            DataError: it is missing, blank or no string.
        """
        value = self.fields.get(name)
        if blank and name in self.fields and value is None:
            return ""
        if not is_text(value):
            raise self.error(f"field {name!r} must be a text, found {shown(value)}")
        if not value.strip() and not blank:
            raise self.error(f"field {name!r} is empty")
        return value


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines of a UTF-8 file, without line ends; a byte-order mark and CRLF are tolerated.

    Raises:
        DataError: there is no such file, it cannot be read, or a line is not UTF-8.
    """
    try:
        with path.open("rb") as handle:
            yield from decoded(handle, path)
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file; check data.dir, or name the file under data.files in the recipe"
        ) from None
    except OSError as error:
        raise DataError(unreadable(path, error)) from error


def decoded(raw_lines: Iterable[bytes], path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines of bytes in UTF-8, as `read_lines` gives those of a file.

    Args:
        raw_lines: with their line ends.
        path: what errors name.

    Raises:
        DataError: a line is not UTF-8.
    """
    for number, raw in enumerate(raw_lines, start=1):
        body = _without_mark(path, raw) if number == 1 else raw
        try:
            yield number, body.rstrip(b"\r\n").decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}:{number}: not valid UTF-8 ({error.reason})") from error


def _without_mark(path: Path, raw: bytes) -> bytes:
    """The first line without a byte-order mark of UTF-8."""
    for mark, kind in BINARY.items():
        if raw.startswith(mark):
            raise DataError(f"{path}:1: expected text in UTF-8, found {kind}; save it as CSV, TSV or JSON lines")
    return raw.removeprefix(b"\xef\xbb\xbf")


def content_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines of a file; empty ones at its end are left out."""
    empty: list[tuple[int, str]] = []
    for number, line in read_lines(path):
        if line.strip() or "\t" in line:
            yield from empty
            empty = []
            yield number, line
        else:
            empty.append((number, line))


def first_line(path: Path) -> tuple[int, str]:
    """The first line that is not blank, and its number; an empty one where there is none."""
    return next(((number, line) for number, line in read_lines(path) if line.strip()), (1, ""))


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
    for number, line in content_lines(path):
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
    yield from objects(read_lines(path), path)


def objects(lines: Iterable[tuple[int, str]], path: Path) -> Iterator[Record]:
    """Records of numbered lines with one JSON object in each; blank lines are skipped.

    Raises:
        DataError: a line is no JSON object.
    """
    for number, line in lines:
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
            raise DataError(f"{path}:{number}: expected a JSON object, found {shown(value)}")
        yield Record(path, number, value)


def is_text(value: object) -> TypeGuard[str]:
    """Whether this is Unicode text; JSON can spell halves of surrogate pairs, which are none."""
    try:
        return isinstance(value, str) and bool(value.encode() or True)
    except UnicodeEncodeError:
        return False


def shown(value: object) -> str:
    """A value for an error message, cut where it is long."""
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
