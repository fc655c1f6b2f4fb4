"""Readers of tables: columns that are known beforehand, or named by a header."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

from lowres_stilts.data.formats import is_csv, is_json, read_json
from lowres_stilts.data.own_tables import Layout, read_own
from lowres_stilts.data.readers import Record, content_lines
from lowres_stilts.errors import DataError

FileReader = Callable[[Path], Iterator[Record]]
QUOTES_AS_CHARACTERS = Layout(quoted_tabs=False)


def tsv(*columns: str, label: str | None = "label") -> FileReader:
    """A reader of TSV files with these columns, of CSV, or of JSON with these fields.

    Where the first line names them, other columns may stand beside them, in any order. In TSV, quotes are
    characters like any other, as in XTREME's official reader.

    Args:
        columns: their names, in order.
        label: the last column, which a file without labels may leave out.
    """
    return lambda path: read_own(path, columns, QUOTES_AS_CHARACTERS, label)


def read_table(path: Path) -> Iterator[Record]:
    """Records of a tab-separated file whose first line names the columns; quotes are characters like any other.

    JSON and CSV are read as such.

    Raises:
        DataError: a line has another number of columns, or the header names a column twice.
    """
    if is_json(path) or is_csv(path):
        yield from read_json(path) if is_json(path) else read_csv(path)
        return
    header: list[str] = []
    for number, line in content_lines(path):
        cells = line.split("\t")
        if not header:
            header = _header(path, cells)
        elif len(cells) != len(header):
            raise DataError(f"{path}:{number}: expected {len(header)} tab-separated columns, found {len(cells)}")
        else:
            yield Record(path, number, dict(zip(header, cells, strict=True)))


def read_cut_table(path: Path) -> Iterator[Record]:
    """The same for files in which stray line ends cut rows in two, such as GLUE's QQP: those are marked.

    Raises:
        DataError: a line has too many columns, or the header names a column twice.
    """
    header: list[str] = []
    columns = 0  # of the row that is being put together
    for number, line in content_lines(path):
        cells = line.split("\t")
        if not header:
            header = _header(path, cells)
        elif len(cells) > len(header):
            raise DataError(f"{path}:{number}: expected {len(header)} tab-separated columns, found {len(cells)}")
        elif len(cells) == len(header):
            columns = 0
            yield Record(path, number, dict(zip(header, cells, strict=True)))
        else:
            if not columns:
                yield Record(path, number, {}, defect="row cut in two")
            columns += len(cells) - bool(columns)
            columns = 0 if columns >= len(header) else columns


def read_csv(path: Path) -> Iterator[Record]:
    """Records of a comma-separated file with a header and quoted cells, which may hold line ends.

    A record stands at its last line.

    Raises:
        DataError: a line has another number of columns, a quote is out of place or never closed.
    """
    rows = csv.reader((f"{line}\n" for _, line in content_lines(path)), strict=True)
    header: list[str] = []
    try:
        for cells in rows:
            if not header:
                header = _header(path, cells)
            elif len(cells) != len(header):
                raise DataError(f"{path}:{rows.line_num}: expected {len(header)} columns, found {len(cells)}")
            else:
                yield Record(path, rows.line_num, dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise DataError(f"{path}:{rows.line_num}: not valid CSV ({error})") from error


def _header(path: Path, cells: list[str]) -> list[str]:
    if len(set(cells)) != len(cells) or not all(cells):
        raise DataError(f"{path}:1: expected a header with a name of its own for each column")
    return cells
