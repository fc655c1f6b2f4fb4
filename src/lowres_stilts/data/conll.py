"""Readers of token-per-line files."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lowres_stilts.data.readers import Record, read_lines, shown
from lowres_stilts.errors import DataError

Rows = list[tuple[int, list[str]]]
"""The lines of a sentence, numbered, split into columns."""
DOCSTART = "-DOCSTART-"
"""CoNLL-2003's line between documents, which Label Studio writes, too."""
SPACES = re.compile(" +")


@dataclass(frozen=True)
class _Columns:
    """What the first line with content says of the file."""

    count: int
    tabs: bool
    token: int = 0
    tag: int = -1
    numbered: bool = False
    """Whether lines begin with the token's number, so that there are comments, and tokens of several words."""

    @property
    def wanted(self) -> str:
        if self.count == 1:
            return "a token alone"
        between = "a tab" if self.tabs else "a space"
        return (
            f"a token, {between} and a tag" if self.count == 2 else f"{self.count} columns with {between} between"
        )

    def split(self, line: str) -> list[str]:
        if self.count == 1:
            return line.split("\t")
        return line.split("\t") if self.tabs else SPACES.split(line.strip(" "))


def read_conll(path: Path) -> Iterator[Record]:
    """Sentences of a file with a token and its tag per line and blank lines between sentences.

    Tabs or spaces stand between them. With four columns or more the token is the first and the tag the last, as
    in CoNLL-2003; where tokens are numbered, they follow CoNLL-U (ten columns: the tag is UPOS) or Universal NER
    (five). A file without tags has the tokens alone. Each record has `tokens`, `tags` (or none) and the tokens'
    lines, and stands at its first token's line. A token may be blank: whether it may is a matter of the task.

    Raises:
        DataError: a line has another number of columns than the first, or an empty tag.
    """
    columns: _Columns | None = None
    for rows in _blocks(path):
        for offset, (number, (line,)) in enumerate(rows):
            columns = columns or _columns(path, number, line)
            cells = columns.split(line)
            if (
                len(cells) != columns.count
                or not cells[-1].strip()
                or (columns.count == 1 and " " in line.strip())
            ):
                raise DataError(f"{path}:{number}: expected {columns.wanted}, found {shown(line)}")
            rows[offset] = (number, cells)
        if columns is not None and columns.count == 1:
            _refuse_commas(path, rows)
        if columns is not None:
            yield _record(path, rows, columns)


def place_of_token(record: Record, index: int) -> Record:
    """Where a token stands: on a line of its own in a CoNLL file, or else with its sentence."""
    return replace(record, line=record.lines[index]) if record.lines else record


def without_language_prefix(
    read: Callable[[Path], Iterator[Record]], languages: tuple[str, ...]
) -> Callable[[Path], Iterator[Record]]:
    """The same reader for files whose tokens read `lang:token`, as in WikiAnn's original release.

    The first sentence decides whether the file is such a one; the others must be like it.
    """
    prefix = re.compile(f"(?:{'|'.join(languages)}):(?=.)", re.DOTALL)

    def strip(path: Path) -> Iterator[Record]:
        prefixed: bool | None = None
        for record in read(path):
            found = [prefix.match(token) for token in record.fields["tokens"]]
            if prefixed is None:
                prefixed = all(found)
            if prefixed:
                missing = next((index for index, match in enumerate(found) if match is None), None)
                if missing is not None:
                    problem = "expected a token with its language, such as en:word"
                    raise place_of_token(record, missing).error(problem)
                tokens = [prefix.sub("", token, count=1) for token in record.fields["tokens"]]
                yield replace(record, fields=record.fields | {"tokens": tokens})
            else:
                yield record

    return strip


def _blocks(path: Path) -> Iterator[Rows]:
    """The lines of each sentence, whole; comments and lines between documents left out."""
    rows: Rows = []
    numbered = False
    for number, line in read_lines(path):
        if not rows and number == 1:
            numbered = line.startswith("# ") and "\t" not in line
        if not line.strip() or line.startswith(DOCSTART):
            if rows:
                yield rows
            rows = []
        elif not (numbered and line.startswith("#")) and not (numbered and re.match(r"\d+[-.]\d", line)):
            rows.append((number, [line]))
    if rows:
        yield rows


def _columns(path: Path, number: int, line: str) -> _Columns:
    tabs = "\t" in line
    if not tabs and " " not in line.strip():
        return _Columns(1, tabs=False)
    cells = line.split("\t") if tabs else SPACES.split(line.strip(" "))
    if len(cells) in {5, 10} and cells[0] == "1":
        return _Columns(len(cells), tabs, token=1, tag=2 if len(cells) == 5 else 3, numbered=True)
    if len(cells) == 3:
        between = "a tab" if tabs else "a space"
        raise DataError(f"{path}:{number}: expected a token, {between} and a tag, found {shown(line)}")
    return _Columns(len(cells), tabs)


def _refuse_commas(path: Path, rows: Rows) -> None:
    """Stops where every line of a sentence is two words with a comma between: a CSV file is not bare tokens."""
    lines = [cells[0] for _, cells in rows]
    if len(lines) > 1 and all(re.fullmatch(r"[^,]+,[^,]+", line) for line in lines):
        raise DataError(f"{path}:{rows[0][0]}: expected a token, a tab and a tag, found {shown(lines[0])}")


def _record(path: Path, rows: Rows, columns: _Columns) -> Record:
    tokens = [cells[columns.token] for _, cells in rows]
    tags = [cells[columns.tag] for _, cells in rows] if columns.count > 1 else None
    return Record(path, rows[0][0], {"tokens": tokens, "tags": tags}, tuple(number for number, _ in rows))
