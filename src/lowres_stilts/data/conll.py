"""Readers of token-per-line files."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lowres_stilts.data.formats import is_csv
from lowres_stilts.data.readers import Record, read_lines, shown
from lowres_stilts.errors import DataError

Rows = list[tuple[int, list[str]]]
"""The lines of a sentence, numbered, split into columns."""
DOCSTART = "-DOCSTART-"
"""CoNLL-2003's line between documents, which Label Studio writes, too."""
SPACES = re.compile(" +")
COMMENT = re.compile(r"# *(\S+ *=|id |newdoc|newpar|global\.columns)")
"""Lines before a sentence of CoNLL-U, and of MultiCoNER."""
NUMBERED = {5: 2, 10: 3}
"""The tag's column where tokens are numbered: Universal NER's five columns, and CoNLL-U's ten with UPOS."""
FIRST = re.compile(r"1(-\d+)?|0\.1")
PART = re.compile(r"\d+[-.]\d+\t")
"""A token of several words, or an empty one; the words have lines of their own."""
PAIR = re.compile(r"[^,;|]+([,;|])[^,;|]+")


@dataclass(frozen=True)
class _Columns:
    """What the first line with tokens says of the file."""

    count: int
    tabs: bool
    token: int = 0
    tag: int = -1
    numbered: bool = False
    """Whether lines begin with the token's number, so that some are of parts of tokens, or of several."""

    @property
    def wanted(self) -> str:
        if self.count == 1:
            return "a token alone"
        between = "a tab" if self.tabs else "a space"
        return (
            f"a token, {between} and a tag" if self.count == 2 else f"{self.count} columns with {between} between"
        )

    def is_comment(self, line: str) -> bool:
        """Whether a line at the beginning of a sentence is none of its tokens."""
        if self.numbered or self.count == 1:
            return self.numbered and line.startswith("#")
        odd = len(_split(line, tabs=self.tabs)) != self.count
        return (odd and line.startswith("# ")) or (not self.tabs and bool(COMMENT.match(line)))

    def is_part(self, line: str) -> bool:
        """Whether a line is of a part of a token, or of several, which have lines of their own."""
        return self.numbered and bool(PART.match(line))

    def fit(self, line: str, cells: list[str]) -> bool:
        """Whether a line has what is wanted."""
        if self.count == 1:
            return not set(" \t") & set(line.strip(" "))
        return len(cells) == self.count and bool(cells[self.tag].strip())


def read_conll(path: Path) -> Iterator[Record]:
    """Sentences of a file with a token and its tag per line and blank lines between sentences.

    Tabs or spaces stand between them. With four columns or more the token is the first and the tag the last, as
    in CoNLL-2003; where tokens are numbered, they follow CoNLL-U (ten columns: the tag is UPOS) or Universal NER
    (five). A file without tags has the tokens alone. Each record has `tokens`, `tags` (or none) and the tokens'
    lines, and stands at its first token's line. A token may be blank: whether it may is a matter of the task.

    Raises:
        DataError: a line has another number of columns than the first, or an empty tag.
    """
    columns = _columns(path)
    for sentence in _sentences(path, columns):
        rows: Rows = []
        for number, line in sentence:
            cells = _split(line, tabs=columns.tabs)
            if not columns.fit(line, cells):
                raise DataError(f"{path}:{number}: expected {columns.wanted}, found {shown(line)}")
            rows.append((number, cells))
        if columns.count == 1:
            _refuse_delimiters(path, rows)
        yield _record(path, rows, columns)


def read_blocks(path: Path) -> Iterator[Record]:
    """What stands between blank lines, whole, for whoever writes tags behind it.

    Each record has `tokens`, `lines` (all of the block, comments too), `places` (which of the lines are tokens)
    and `between` (what stands between columns), and stands at its first line.

    Raises:
        DataError: the first line with tokens has columns that are not known, or a line has another number of them.
    """
    columns = _columns(path)
    block: list[tuple[int, str]] = []
    for number, line in read_lines(path):
        if line.strip():
            block.append((number, line))
        elif block:
            yield _block(path, block, columns)
            block = []
    if block:
        yield _block(path, block, columns)


def _block(path: Path, block: Sequence[tuple[int, str]], columns: _Columns) -> Record:
    tokens: list[str] = []
    places: list[int] = []
    for place, (number, line) in enumerate(block):
        if line.startswith(DOCSTART) or (not tokens and columns.is_comment(line)) or columns.is_part(line):
            continue
        cells = _split(line, tabs=columns.tabs)
        if len(cells) != columns.count:
            raise DataError(f"{path}:{number}: expected {columns.wanted}, found {shown(line)}")
        tokens.append(cells[columns.token])
        places.append(place)
    between = "\t" if columns.tabs or columns.count == 1 else " "
    fields = {"tokens": tokens, "lines": [line for _, line in block], "places": places, "between": between}
    return Record(path, block[0][0], fields, tuple(block[place][0] for place in places))


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


def _sentences(path: Path, columns: _Columns) -> Iterator[list[tuple[int, str]]]:
    """The numbered lines of each sentence, without comments and without lines between documents."""
    lines: list[tuple[int, str]] = []
    for number, line in read_lines(path):
        if not line.strip() or line.startswith(DOCSTART):
            if lines:
                yield lines
            lines = []
        elif not columns.is_part(line) and (lines or not columns.is_comment(line)):
            lines.append((number, line))
    if lines:
        yield lines


def _columns(path: Path) -> _Columns:
    """The columns of the first line that is surely no comment."""
    for number, line in read_lines(path):
        comment = line.startswith("# ") and "\t" not in line
        if line.strip() and not line.startswith(DOCSTART) and not comment:
            return _columns_of(path, number, line)
    return _Columns(1, tabs=False)


def _columns_of(path: Path, number: int, line: str) -> _Columns:
    tabs = "\t" in line
    cells = _split(line, tabs=tabs)
    if len(cells) in NUMBERED and FIRST.fullmatch(cells[0]):
        return _Columns(len(cells), tabs, token=1, tag=NUMBERED[len(cells)], numbered=True)
    if len(cells) == 3:
        between = "a tab" if tabs else "a space"
        raise DataError(f"{path}:{number}: expected a token, {between} and a tag, found {shown(line)}")
    return _Columns(len(cells), tabs)


def _split(line: str, *, tabs: bool) -> list[str]:
    return line.split("\t") if tabs else SPACES.split(line.strip(" "))


def _refuse_delimiters(path: Path, rows: Rows) -> None:
    """Stops where every line of a sentence is two words with a comma between: a CSV file is not bare tokens."""
    lines = [cells[0] for _, cells in rows]
    if (len(lines) > 1 or is_csv(path)) and all(PAIR.fullmatch(line) for line in lines):
        raise DataError(f"{path}:{rows[0][0]}: expected a token, a tab and a tag, found {shown(lines[0])}")


def _record(path: Path, rows: Rows, columns: _Columns) -> Record:
    tokens = [cells[columns.token] for _, cells in rows]
    tags = [cells[columns.tag] for _, cells in rows] if columns.count > 1 else None
    return Record(path, rows[0][0], {"tokens": tokens, "tags": tags}, tuple(number for number, _ in rows))
