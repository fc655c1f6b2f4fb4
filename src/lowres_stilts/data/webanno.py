"""The reader of WebAnno TSV 3, in which INCEpTION and WebAnno export spans.

Format: https://inception-project.github.io/releases/latest/docs/user-guide.html#sect_formats_webannotsv3
"""

import re
from collections.abc import Iterator
from pathlib import Path

from lowres_stilts.data.readers import Record, read_lines, shown

FORMAT = "#FORMAT=WebAnno TSV 3"
SPAN_LAYER = "#T_SP="
FIXED = 3
"""Columns before those of the layers: number, characters, token."""
VALUE = re.compile(r"(?P<label>.*?)(?:\[(?P<span>\d+)\])?", re.DOTALL)
ESCAPED = re.compile(r"\\(.)")


def is_webanno(path: Path) -> bool:
    """Whether the first line says so."""
    return next((line for _, line in read_lines(path)), "").startswith(FORMAT)


def read_webanno(path: Path) -> Iterator[Record]:
    """Sentences with `tokens` and IOB2 `tags`, by the layer of named entities, else by the first of spans.

    Raises:
        DataError: there is no layer of spans, a token has two labels, or a part of a token is annotated.
    """
    column: int | None = None
    layers: list[tuple[str, int]] = []
    rows: list[tuple[int, str, str]] = []
    width = FIXED
    for number, line in read_lines(path):
        if line.startswith(SPAN_LAYER):
            name, *features = line.removeprefix(SPAN_LAYER).split("|")
            place = features.index("value") if "value" in features else 0
            layers.append((name, width + place))
            width += max(1, len(features))
        elif line.startswith("#") or not line:
            if rows:
                yield _sentence(path, rows)
            rows = []
        else:
            here = Record(path, number, {})
            if column is None:
                column = _column(here, layers)
            cells = line.split("\t")
            if len(cells) < FIXED or column >= len(cells):
                raise here.error(f"expected a token and its layers with tabs between, found {shown(line)}")
            if "." in cells[0]:
                raise here.error(f"a part of a token is annotated, {shown(cells[2])}; annotate whole tokens")
            rows.append((number, ESCAPED.sub(r"\1", cells[2]), cells[column]))
    if rows:
        yield _sentence(path, rows)


def _column(here: Record, layers: list[tuple[str, int]]) -> int:
    if not layers:
        raise here.error("the file names no layer of spans (#T_SP=); export one with the layer of entities")
    return next((place for name, place in layers if name.endswith("NamedEntity")), layers[0][1])


def _sentence(path: Path, rows: list[tuple[int, str, str]]) -> Record:
    tags: list[str] = []
    before: tuple[str, str | None] = ("", None)
    for number, token, value in rows:
        if "|" in value:
            raise Record(path, number, {}).error(f"token {shown(token)} has two labels, {value}; keep one")
        found = VALUE.fullmatch(value)
        label, span = (value, None) if found is None else (found["label"], found["span"])
        if label in {"_", "*"}:
            tags.append("O")
            before = ("", None)
            continue
        label = ESCAPED.sub(r"\1", label)
        goes_on = span is not None and (label, span) == before
        tags.append(f"{'I' if goes_on else 'B'}-{label}")
        before = (label, span)
    tokens = [token for _, token, _ in rows]
    return Record(path, rows[0][0], {"tokens": tokens, "tags": tags}, tuple(number for number, *_ in rows))
