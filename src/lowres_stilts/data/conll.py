"""Readers of token-per-line files: XTREME's, CoNLL's with other columns, and CoNLL-U."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from lowres_stilts.data.readers import Record, read_jsonl, read_lines, shown
from lowres_stilts.errors import DataError

WORD_ID = re.compile(r"[1-9][0-9]*")
SKIPPED_ID = re.compile(r"[0-9]+[-.][0-9]+")
CONLLU_COLUMNS = 10

Rows = list[tuple[int, list[str]]]
"""The lines of a sentence, numbered, split into columns."""


def read_conll(path: Path, *, separator: str = "\t") -> Iterator[Record]:
    """Sentences of a file with a token and its tag per line and blank lines between sentences.

    A file without tags has the tokens alone. Each record has `tokens`, `tags` (or none) and stands at its
    first token's line.

    Raises:
        DataError: a line has neither one nor two columns, an empty one, or tags come and go within the file.
    """
    width = 0
    for rows in _blocks(path, separator):
        for number, cells in rows:
            width = width or min(len(cells), 2)
            if len(cells) != width or not all(cell.strip() for cell in cells):
                tab = "a tab" if separator == "\t" else "a space"
                wanted = f"a token, {tab} and a tag" if width == 2 else "a token alone"
                raise DataError(f"{path}:{number}: expected {wanted}, found {shown(separator.join(cells))}")
        yield _record(path, rows, 0, 1 if width == 2 else None)


def read_any_conll(path: Path) -> Iterator[Record]:
    """The same for files with tabs, or with spaces as MasakhaNER and MasakhaPOS have them; JSON lines too."""
    if path.suffix == ".jsonl":
        return read_jsonl(path)
    first = next((line for _, line in read_lines(path) if line.strip()), "")
    return read_conll(path, separator="\t" if "\t" in first else " ")


def conll_columns(*, columns: int, token: int, tag: int) -> Callable[[Path], Iterator[Record]]:
    """A reader of tab-separated columns with `#` comments; the columns are counted from 0."""

    def read(path: Path) -> Iterator[Record]:
        for rows in _blocks(path, "\t", comments=True):
            for number, cells in rows:
                _require_columns(path, number, cells, columns)
            yield _record(path, rows, token, tag)

    return read


def read_conllu(path: Path) -> Iterator[Record]:
    """Sentences of a CoNLL-U file: the syntactic words and their universal parts of speech.

    Multiword tokens (`3-4`) and empty nodes (`5.1`) are left out, as the format's own tools do; XTREME's files
    have the fused form instead. Source: universaldependencies.org/format.html.

    Raises:
        DataError: a line has not 10 columns, or words are not numbered 1, 2, 3, ...
    """
    for rows in _blocks(path, "\t", comments=True):
        words: Rows = []
        for number, cells in rows:
            _require_columns(path, number, cells, CONLLU_COLUMNS)
            if SKIPPED_ID.fullmatch(cells[0]):
                continue
            if not WORD_ID.fullmatch(cells[0]) or int(cells[0]) != len(words) + 1:
                raise DataError(f"{path}:{number}: expected word {len(words) + 1}, found {shown(cells[0])}")
            words.append((number, cells))
        if words:
            yield _record(path, words, 1, 3)


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
                    line = record.line + missing if isinstance(record.line, int) else record.line
                    raise DataError(f"{path}:{line}: expected a token with its language, such as en:word")
                tokens = [prefix.sub("", token, count=1) for token in record.fields["tokens"]]
                yield Record(record.path, record.line, record.fields | {"tokens": tokens})
            else:
                yield record

    return strip


def _blocks(path: Path, separator: str, *, comments: bool = False) -> Iterator[Rows]:
    rows: Rows = []
    for number, line in read_lines(path):
        if not line.strip():
            if rows:
                yield rows
            rows = []
        elif not (comments and not rows and line.startswith("#")):
            rows.append((number, line.split(separator)))
    if rows:
        yield rows


def _require_columns(path: Path, number: int, cells: list[str], columns: int) -> None:
    if len(cells) != columns:
        raise DataError(f"{path}:{number}: expected {columns} tab-separated columns, found {len(cells)}")


def _record(path: Path, rows: Rows, token: int, tag: int | None) -> Record:
    tokens = [cells[token] for _, cells in rows]
    tags = None if tag is None else [cells[tag] for _, cells in rows]
    return Record(path, rows[0][0], {"tokens": tokens, "tags": tags})
