"""Tables of the user's own: columns by their own names, any delimiter, quoted or not."""

import csv
import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from lowres_stilts.data.formats import DELIMITERS, QUOTED, is_json, read_json, refuse_other_format
from lowres_stilts.data.readers import Record, content_lines
from lowres_stilts.errors import DataError

Quoting = Literal["auto", "none", "minimal"]
Cells = Iterator[tuple[int, list[str]]]


@dataclass(frozen=True)
class Layout:
    """How a table of the user's own is written; what is not said is found in the file."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Their names of our fields, where they differ."""
    delimiter: str | None = None
    """Between columns; by default a comma, semicolon or tab in `.csv` files, and a tab in others."""
    header: bool | None = None
    """Whether the first line names the columns; by default where it names all that are needed."""
    quoting: Quoting = "auto"
    """`minimal`: cells may stand in quotes, as Python's csv writes them; `none`: quotes are characters; `auto`:
    the former in CSV, and in tab-separated files in which every cell with a quote is in quotes as a whole."""


def read_own(path: Path, fields: Sequence[str], layout: Layout, label: str | None = "label") -> Iterator[Record]:
    """Records of a table, of JSON lines, or of a JSON list, with our names for their fields.

    Args:
        path: the file.
        fields: our names, in the order in which a file without a header has them.
        layout: how it is written.
        label: the field, the last one, that a file may leave out as a whole.

    Raises:
        DataError: a row has another number of columns, a column is missing, or quotes are out of place.
    """
    if is_json(path):
        yield from renamed(read_json(path), layout.columns, {label} if label else ())
        return
    delimiter = layout.delimiter or _delimiter(path, [layout.columns.get(name, name) for name in fields])
    rows = _cells(path, delimiter, layout.quoting)
    yield from _records(path, rows, fields, layout, label, delimiter)


def renamed(
    records: Iterable[Record], columns: Mapping[str, str], optional: Collection[str] = ()
) -> Iterator[Record]:
    """The same records with our names beside those that their fields have.

    Raises:
        DataError: a field is missing.
    """
    for record in records:
        missing = [
            theirs for ours, theirs in columns.items() if theirs not in record.fields and ours not in optional
        ]
        if missing:
            raise record.error(f"no field {missing[0]!r}{_instead(missing[0], list(record.fields))}")
        ours = {name: record.fields[theirs] for name, theirs in columns.items() if theirs in record.fields}
        yield replace(record, fields=record.fields | ours)


def _delimiter(path: Path, names: Sequence[str]) -> str:
    """The delimiter that makes most of the names of the first line; tabs where no name is in it."""
    first = next((line for _, line in content_lines(path)), "")
    if path.suffix.lower() != ".csv":
        return "\t"
    found = {
        delimiter: len(set(names) & {cell.strip() for cell in next(csv.reader([first], delimiter=delimiter), [])})
        for delimiter in DELIMITERS
    }
    best = max(found, key=lambda delimiter: found[delimiter])
    return best if found[best] else ","


def _cells(path: Path, delimiter: str, quoting: Quoting) -> Cells:
    """The cells of each row, and the line that it ends in."""
    if quoting == "none" or (quoting == "auto" and delimiter == "\t" and not _is_quoted(path)):
        for number, line in content_lines(path):
            yield number, line.split(delimiter)
        return
    rows = csv.reader((f"{line}\n" for _, line in content_lines(path)), delimiter=delimiter, strict=True)
    try:
        for cells in rows:
            yield rows.line_num, cells
    except csv.Error as error:
        raise DataError(
            f"{path}:{rows.line_num}: quotes out of place ({error}); see quoting in the recipe"
        ) from error


def _is_quoted(path: Path) -> bool:
    """Whether some cells stand in quotes, and all that have a quote do as a whole."""
    quoted = [cell for _, line in content_lines(path) for cell in line.split("\t") if '"' in cell]
    return bool(quoted) and all(QUOTED.fullmatch(cell) for cell in quoted)


def _records(
    path: Path, rows: Cells, fields: Sequence[str], layout: Layout, label: str | None, delimiter: str
) -> Iterator[Record]:
    theirs = [layout.columns.get(name, name) for name in fields]
    required = {name for ours, name in zip(fields, theirs, strict=True) if ours != label}
    names: list[str] = []
    for number, cells in rows:
        if not names:
            bare = [cell.strip() for cell in cells]
            if layout.header or (layout.header is None and required <= set(bare)):
                names = _header(path, number, bare, required)
                continue
            if layout.header is None and layout.columns:
                _header(path, number, bare, required)
            if len(cells) == 1 < len(theirs):
                refuse_other_format(path, theirs, number, cells[0])
            names = theirs[: len(theirs) - 1] if label and len(cells) == len(theirs) - 1 else theirs
        if len(cells) != len(names):
            kind = DELIMITERS.get(delimiter, f"{delimiter}-separated")
            raise DataError(
                f"{path}:{number}: expected {len(names)} {kind} columns ({', '.join(names)}), found {len(cells)}"
            )
        row = dict(zip(names, cells, strict=True))
        ours = {name: row[column] for name, column in zip(fields, theirs, strict=True) if column in row}
        yield Record(path, number, row | ours)


def _header(path: Path, number: int, names: list[str], required: set[str]) -> list[str]:
    if missing := sorted(required - set(names)):
        raise DataError(f"{path}:{number}: no column {missing[0]!r}{_instead(missing[0], names)}")
    if len(set(names)) != len(names) or not all(names):
        raise DataError(f"{path}:{number}: expected a header with a name of its own for each column")
    return names


def _instead(missing: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(missing, names, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(names)}"
