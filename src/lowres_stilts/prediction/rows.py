"""The rows of a file that is to be answered: every column as it stands there."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfileobj
from typing import Any, BinaryIO, Literal, get_args

from lowres_stilts.data.cells import find_delimiter, read_cells
from lowres_stilts.data.conll import read_blocks
from lowres_stilts.data.formats import read_json
from lowres_stilts.data.readers import Record, decoded, objects, read_lines
from lowres_stilts.errors import UsageError
from lowres_stilts.storage import scratch_folder

Format = Literal["text", "tsv", "csv", "jsonl", "conll"]
FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIXES: dict[str, Format] = {
    ".txt": "text",
    ".tsv": "tsv",
    ".csv": "csv",
    ".json": "jsonl",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".conll": "conll",
    ".conllu": "conll",
    ".bio": "conll",
    ".iob2": "conll",
}
STREAMED: tuple[Format, ...] = ("text", "jsonl")
"""Whose rows are answered as they come; the others are looked at first."""
STANDARD_INPUT = Path("standard input")


@dataclass(frozen=True)
class Block:
    """Lines of a token-per-line file between two blank ones."""

    lines: tuple[str, ...]
    places: tuple[int, ...]
    """Which of the lines are tokens; the others are comments, or of tokens of several words."""
    between: str
    """What stands between columns."""


@dataclass(frozen=True)
class Row:
    """What one answer is for."""

    record: Record
    """Its columns, and where it stands."""
    block: Block | None = None
    """Of a token-per-line file."""

    @property
    def fields(self) -> Mapping[str, Any]:
        """Its columns by name."""
        return self.record.fields


def format_of(path: Path, named: str | None = None) -> Format:
    """The format of a file, by what the user says or else by its name.

    Raises:
        UsageError: it is none that is known.
    """
    if named is not None:
        found = next((name for name in FORMATS if name == named), None)
        if found is None:
            raise UsageError(f"--input-format: {named!r} is none of {', '.join(FORMATS)}")
        return found
    if path == STANDARD_INPUT:
        return "text"
    if (suffix := path.suffix.lower()) in SUFFIXES:
        return SUFFIXES[suffix]
    raise UsageError(f"{path}: its name does not say what it is; say so with --input-format {'|'.join(FORMATS)}")


def read_rows(path: Path, kind: Format) -> Iterator[Row]:
    """The rows of a file in their order.

    Args:
        path: the file; text has a row in each line, tables have a header.
        kind: its format.

    Raises:
        DataError: there is no such file, or it is malformed.
    """
    if kind == "text":
        yield from _texts(read_lines(path), path)
    elif kind == "jsonl":
        yield from map(Row, read_json(path))
    elif kind == "conll":
        yield from map(_of_block, read_blocks(path))
    else:
        yield from map(Row, _table(path, kind))


def rows_as_they_come(stream: BinaryIO, kind: Format) -> Iterator[Row]:
    """The rows of standard input, text or JSON lines.

    Raises:
        DataError: a line is malformed.
    """
    lines = decoded(stream, STANDARD_INPUT)
    if kind == "text":
        return _texts(lines, STANDARD_INPUT)
    return map(Row, objects(lines, STANDARD_INPUT))


@contextmanager
def on_disk(path: Path, kind: Format) -> Iterator[Path]:
    """A file that can be read twice: the path itself, or a copy of standard input.

    Raises:
        RunError: the disk is full.
    """
    if path != STANDARD_INPUT:
        yield path
        return
    with scratch_folder() as scratch:
        copy = scratch / f"input.{kind}"
        with copy.open("wb") as handle:
            copyfileobj(sys.stdin.buffer, handle)
        yield copy


@contextmanager
def opened_rows(path: Path, kind: Format) -> Iterator[Iterator[Row]]:
    """The rows of a file or of standard input, as they come where the format allows it."""
    if path == STANDARD_INPUT and kind in STREAMED:
        yield rows_as_they_come(sys.stdin.buffer, kind)
        return
    with on_disk(path, kind) as file:
        yield read_rows(file, kind)


def _texts(lines: Iterable[tuple[int, str]], path: Path) -> Iterator[Row]:
    for number, line in lines:
        yield Row(Record(path, number, {"text": line}))


def _of_block(record: Record) -> Row:
    fields = record.fields
    block = Block(tuple(fields["lines"]), tuple(fields["places"]), fields["between"])
    return Row(Record(record.path, record.line, {"tokens": fields["tokens"]}, record.lines), block)


def _table(path: Path, kind: Format) -> Iterator[Record]:
    delimiter = "\t" if kind == "tsv" else find_delimiter(path, (), 0)
    rows = read_cells(path, delimiter, "auto")
    number, names = next(rows, (1, []))
    here = Record(path, number, {})
    names = [name.strip() for name in names]
    if len(set(names)) != len(names) or "" in names:
        raise here.error("expected a first line that names every column, each with a name of its own")
    for number, cells in rows:
        if len(cells) != len(names):
            raise Record(path, number, {}).error(f"expected {len(names)} columns, found {len(cells)}")
        yield Record(path, number, dict(zip(names, cells, strict=True)))
