"""Rows and cells of comma- and tab-separated files: what stands between cells, and whether they are quoted."""

import csv
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

from lowres_stilts.data.formats import is_csv
from lowres_stilts.data.readers import content_lines, first_line
from lowres_stilts.errors import DataError

Quoting = Literal["auto", "none", "minimal"]
DELIMITERS = {",": "comma-separated", ";": "semicolon-separated", "\t": "tab-separated", "|": "bar-separated"}
SEPARATOR_LINE = re.compile(r"sep=(.)")
"""A first line by which Excel knows the delimiter."""
QUOTED = re.compile(r'"(?:[^"]|"")*"')
"""A whole cell in quotes, as Python's csv and spreadsheets write it."""
OPENED = re.compile(r'"(?:[^"]|"")*')
CLOSED = re.compile(r'(?:[^"\t]|"")*"(?=\t|$)')
BETWEEN = re.compile(r'(?:[^"\t]|"")*')


def find_delimiter(path: Path, names: Collection[str], width: int) -> str:
    """What stands between the cells of a file.

    It is the delimiter that makes all the names of the first line. Without names it is a tab, but in `.csv` files
    the delimiter that makes as many cells of the first line as there are columns, or a comma.

    Args:
        path: the file.
        names: of columns that a header must have.
        width: how many columns there are without a header.
    """
    line = first_line(path)[1]
    if told := SEPARATOR_LINE.fullmatch(line):
        return told[1]
    if "\t" in line and not is_csv(path):
        return "\t"
    wanted = {name.casefold() for name in names}
    rows = {delimiter: _first_cells(line, delimiter) for delimiter in DELIMITERS}
    for delimiter, cells in rows.items():
        if len(cells) > 1 and wanted <= {cell.strip().casefold() for cell in cells}:
            return delimiter
    if not is_csv(path):
        return "\t"
    return next((delimiter for delimiter, cells in rows.items() if len(cells) == width > 1), ",")


def read_cells(
    path: Path, delimiter: str, quoting: Quoting, *, quoted_tabs: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """Numbered rows, split into cells; a row in quotes may go over several lines, and stands at its first.

    Args:
        path: the file.
        delimiter: what stands between cells.
        quoting: `minimal`: cells may stand in quotes, as Python's csv writes them; `none`: quotes are characters;
            `auto`: the former, with tabs in `.csv` files, and where every cell with a quote is quoted as a whole.
        quoted_tabs: whether `auto` looks for quotes in files with tabs; else they are characters.

    Raises:
        DataError: a quote is out of place or never closed.
    """
    lines = content_lines(path)
    if SEPARATOR_LINE.fullmatch(first_line(path)[1]):
        next(lines)
    if quoting == "auto" and delimiter == "\t":
        quoting = "minimal" if quoted_tabs and (is_csv(path) or _is_quoted(path)) else "none"
    if quoting == "none":
        for number, line in lines:
            yield number, line.split(delimiter)
        return
    yield from _unquoted(path, lines, delimiter)


def _unquoted(path: Path, lines: Iterator[tuple[int, str]], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    here = 1

    def fed() -> Iterator[str]:
        nonlocal here
        for here, line in lines:  # noqa: B007
            yield f"{line}\n"

    rows = csv.reader(fed(), delimiter=delimiter, strict=True)
    before = 0
    try:
        for cells in rows:
            yield here - (rows.line_num - before) + 1, cells or [""]
            before = rows.line_num
    except csv.Error as error:
        raise DataError(
            f"{path}:{here}: quotes out of place ({error}); if they are characters, set the task's quoting: none"
        ) from error


def _first_cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _is_quoted(path: Path) -> bool:
    """Whether some cells of a file with tabs stand in quotes, and all that have a quote do as a whole.

    Raises:
        DataError: the file has one column, and a quote that opens in one line and closes in another.
    """
    found, columns, opened, over_lines = False, 1, 0, ""
    for number, line in content_lines(path):
        cells = line.split("\t")
        columns = max(columns, len(cells))
        if opened:
            closing = CLOSED.match(line)
            if closing is None and BETWEEN.fullmatch(line):
                continue
            if closing is None:
                return False
            over_lines = over_lines or f"{path}:{opened}: a quote opens here and closes in line {number}"
            opened, cells = 0, line[closing.end() :].split("\t")[1:]
        quoted = [cell for cell in cells if '"' in cell]
        whole = [QUOTED.fullmatch(cell) is not None for cell in quoted]
        found = found or bool(quoted)
        if not all(whole):
            if not all(whole[:-1]) or quoted[-1] != cells[-1] or not OPENED.fullmatch(cells[-1]):
                return False
            opened = number
    if found and over_lines and not opened and columns == 1:
        raise DataError(
            f"{over_lines}; set the task's quoting: minimal if that is one text, or none if it is several"
        )
    return found and not opened
