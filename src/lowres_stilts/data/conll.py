"""Readers of token-per-line files."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from lowres_stilts.data.readers import Record, read_jsonl, read_lines, shown
from lowres_stilts.errors import DataError

Rows = list[tuple[int, list[str]]]
"""The lines of a sentence, numbered, split into columns."""


def read_conll(path: Path, *, separator: str = "\t") -> Iterator[Record]:
    """Sentences of a file with a token and its tag per line and blank lines between sentences.

    A file without tags has the tokens alone. Each record has `tokens`, `tags` (or none) and the tokens' lines,
    and stands at its first token's line. A token may be blank: whether it may is a matter of the task.

    Raises:
        DataError: a line has neither one nor two columns, an empty tag, or tags come and go within the file.
    """
    width = 0
    for rows in _blocks(path, separator):
        for number, cells in rows:
            width = width or min(len(cells), 2)
            if len(cells) != width or not cells[-1].strip():
                tab = "a tab" if separator == "\t" else "a space"
                wanted = f"a token, {tab} and a tag" if width == 2 else "a token alone"
                raise DataError(f"{path}:{number}: expected {wanted}, found {shown(separator.join(cells))}")
        yield _record(path, rows, tagged=width == 2)


def read_any_conll(path: Path) -> Iterator[Record]:
    """The same for files with tabs, or with spaces as MasakhaNER and MasakhaPOS have them; JSON lines too."""
    if path.suffix == ".jsonl":
        return read_jsonl(path)
    first = next((line for _, line in read_lines(path) if line.strip()), "")
    return read_conll(path, separator="\t" if "\t" in first else " ")


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


def _blocks(path: Path, separator: str) -> Iterator[Rows]:
    rows: Rows = []
    for number, line in read_lines(path):
        if not line.strip():
            if rows:
                yield rows
            rows = []
        else:
            rows.append((number, line.split(separator)))
    if rows:
        yield rows


def _record(path: Path, rows: Rows, *, tagged: bool) -> Record:
    tokens = [cells[0] for _, cells in rows]
    tags = [cells[1] for _, cells in rows] if tagged else None
    return Record(path, rows[0][0], {"tokens": tokens, "tags": tags}, tuple(number for number, _ in rows))
