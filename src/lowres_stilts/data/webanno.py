"""The reader of WebAnno TSV 3, in which INCEpTION and WebAnno export spans.

Format: https://inception-project.github.io/releases/latest/docs/user-guide.html#sect_formats_webannotsv3
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lowres_stilts.data.annotations import span_tags
from lowres_stilts.data.readers import Record, first_line, read_lines, shown

FORMAT = "#FORMAT=WebAnno TSV 3"
SPAN_LAYER = "#T_SP="
TEXT = "#Text="
ENTITIES = "NamedEntity"
STRUCTURE = ".segmentation.type."
"""Part of the names of layers for headings and the like."""
FIXED = 3
"""Columns before those of the layers: number, characters, token."""
NOTHING = {"_", "*"}
VALUE = re.compile(r"(?P<label>.*?)(?:\[(?P<span>\d+)\])?", re.DOTALL)
STACKED = re.compile(r"(?<!\\)\|")
ESCAPED = re.compile(r"\\(.)")


@dataclass
class _Sentence:
    """The text of a sentence, and number, token and value of each line."""

    text: str = ""
    rows: list[tuple[int, str, str]] = field(default_factory=list)


def is_webanno(path: Path) -> bool:
    """Whether the first line says so."""
    return first_line(path)[1].startswith(FORMAT)


def read_webanno(path: Path, layer: str | None = None, labels: Collection[str] = ()) -> Iterator[Record]:
    """Sentences with `tokens` and `tags`, which are IOB2's for spans.

    Args:
        path: the file.
        layer: the name of the layer of spans, or its end; by default that of named entities, or the only one.
        labels: the task's tags; a label that is one of them, without IOB2's prefix, is a tag by itself.

    Raises:
        DataError: there is no such layer, a token has two labels, or a part of a token is annotated.
    """
    for sentence in _sentences(path, layer):
        tags: list[str] = []
        before: tuple[str, str | None] = ("", None)
        for number, token, value in sentence.rows:
            label, span = here = _value(Record(path, number, {}), token, value)
            tags.append(span_tags(label, 2, labels)[span is not None and here == before] if label else "O")
            before = here
        tokens = [token for _, token, _ in sentence.rows]
        lines = tuple(number for number, *_ in sentence.rows)
        yield Record(path, lines[0], {"tokens": tokens, "tags": tags}, lines)


def read_webanno_texts(path: Path, layer: str | None = None) -> Iterator[Record]:
    """Sentences as `text`, with the `label` that all of their tokens have.

    Raises:
        DataError: there is no such layer, or some tokens of a sentence have another label.
    """
    for sentence in _sentences(path, layer):
        here = Record(path, sentence.rows[0][0], {})
        values = {_value(Record(path, number, {}), token, value)[0] for number, token, value in sentence.rows}
        named = sorted(value or "none" for value in values)
        if len(values) > 1:
            raise here.error(f"expected one label for all tokens of the sentence, found {', '.join(named)}")
        yield Record(path, here.line, {"text": sentence.text, "label": values.pop() or None})


def _sentences(path: Path, layer: str | None) -> Iterator[_Sentence]:
    layers: dict[str, int] = {}
    width, column, sentence = FIXED, 0, _Sentence()
    for number, line in read_lines(path):
        if line.startswith(SPAN_LAYER):
            name, *features = line.removeprefix(SPAN_LAYER).split("|")
            layers[name] = width + (features.index("value") if "value" in features else 0)
            width += max(1, len(features))
        elif line.startswith("#") or not line:
            if sentence.rows:
                yield sentence
                sentence = _Sentence()
            if line.startswith(TEXT):
                sentence.text = f"{sentence.text}\n{line.removeprefix(TEXT)}".removeprefix("\n")
        else:
            here = Record(path, number, {})
            column = column or _column(here, layers, layer)
            cells = line.split("\t")
            if column >= len(cells):
                raise here.error(f"expected a token and its layers with tabs between, found {shown(line)}")
            if "." in cells[0]:
                raise here.error(f"a part of a token is annotated, {shown(cells[2])}; annotate whole tokens")
            sentence.rows.append((number, ESCAPED.sub(r"\1", cells[2]), cells[column]))
    if sentence.rows:
        yield sentence


def _column(here: Record, layers: dict[str, int], layer: str | None) -> int:
    if not layers:
        raise here.error("the file names no layer of spans (#T_SP=); export one with the layer of your labels")
    found = [name for name in layers if name.endswith(layer or ENTITIES)]
    found = found or ([] if layer else [name for name in layers if STRUCTURE not in name])
    if len(found) != 1:
        raise here.error(
            f"expected one layer of labels, found {', '.join(layers)}; say which under columns, such as "
            f"{{label: {next(iter(layers)).rpartition('.')[2]}}}"
        )
    return layers[found[0]]


def _value(here: Record, token: str, value: str) -> tuple[str, str | None]:
    """Label and number of a span; an empty label where there is none."""
    if STACKED.search(value):
        raise here.error(f"token {shown(token)} has two labels, {value}; keep one")
    found = VALUE.fullmatch(value)
    label, span = (value, None) if found is None else (found["label"], found["span"])
    return ("", None) if label in NOTHING else (ESCAPED.sub(r"\1", label), span)
