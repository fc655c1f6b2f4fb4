"""Tables whose columns are known or named by a header, in the user's own names, delimiter and quotes."""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lowres_stilts.data.cells import DELIMITERS, Quoting, find_delimiter, read_cells
from lowres_stilts.data.formats import is_json, read_json, refuse_markup
from lowres_stilts.data.readers import Record
from lowres_stilts.errors import DataError


@dataclass(frozen=True)
class Layout:
    """How a table is written; what is not said is found in the file."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Their names of our fields, where they differ."""
    delimiter: str | None = None
    """Between columns; by default what the header has between their names, else a comma in `.csv` and a tab in
    other files."""
    header: bool | None = None
    """Whether the first line names the columns; by default where it names all that are needed."""
    quoting: Quoting = "auto"
    """Whether cells may stand in quotes; `auto`: where they do."""
    quoted_tabs: bool = True
    """Whether that is looked for in files with tabs. XTREME takes quotes in them for characters."""


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
    if len(fields) - bool(label) == 1:
        refuse_markup(path)
    theirs = [layout.columns.get(name, name) for name in fields]
    required = [name for ours, name in zip(fields, theirs, strict=True) if ours != label]
    delimiter = layout.delimiter or find_delimiter(path, required, len(theirs))
    names: list[str] = []
    for number, cells in read_cells(path, delimiter, layout.quoting, quoted_tabs=layout.quoted_tabs):
        if not names:
            here = Record(path, number, {})
            if header := _header(here, cells, theirs, required, layout):
                names = header
                continue
            names = _without_header(here, cells, theirs, delimiter, layout, label)
        if len(cells) != len(names):
            kind = DELIMITERS.get(delimiter, f"{delimiter}-separated")
            raise DataError(
                f"{path}:{number}: expected {len(names)} {kind} columns ({', '.join(names)}), found {len(cells)}"
            )
        row = dict(zip(names, cells, strict=True))
        ours = {name: row[column] for name, column in zip(fields, theirs, strict=True) if column in row}
        yield Record(path, number, row | ours)


def renamed(
    records: Iterable[Record], columns: Mapping[str, str], optional: Collection[str] = ()
) -> Iterator[Record]:
    """The same records with our names beside those that their fields have.

    Raises:
        DataError: a field is missing.
    """
    for record in records:
        for name, theirs in columns.items():
            if theirs not in record.fields and name not in optional:
                raise record.error(f"no field {theirs!r}{_instead(theirs, list(record.fields))}")
        ours = {name: record.fields[theirs] for name, theirs in columns.items() if theirs in record.fields}
        yield replace(record, fields=record.fields | ours)


def _header(
    here: Record, cells: Sequence[str], theirs: Sequence[str], required: Sequence[str], layout: Layout
) -> list[str]:
    """The names of columns where this row has them, those that are ours spelled as ours are; else nothing."""
    spelled = {name.casefold(): name for name in theirs}
    names = [cell.strip() for cell in cells]
    names = [name if name in theirs else spelled.get(name.casefold(), name) for name in names]
    missing = [name for name in required if name not in names]
    if layout.header is False or (missing and layout.header is None and not layout.columns):
        return []
    if missing:
        raise here.error(f"no column {missing[0]!r}{_instead(missing[0], names)}")
    if len(set(names)) != len(names) or names.count("") > 1:
        raise here.error("expected a header with a name of its own for each column")
    return names


def _without_header(
    here: Record, cells: Sequence[str], theirs: list[str], delimiter: str, layout: Layout, label: str | None
) -> list[str]:
    """The names of columns by their order; the label may be missing."""
    if not label or len(cells) != len(theirs) - 1:
        return theirs
    if delimiter != "\t" and layout.header is None:
        raise here.error(
            f"expected a first line that names the columns {', '.join(theirs)}; without labels and such a "
            "line, set the task's header: false"
        )
    return theirs[:-1]


def _instead(missing: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(missing, names, n=1)
    there = f"; there are {', '.join(name for name in names if name)}"
    return f"; did you mean {close[0]!r}?" if close else there
