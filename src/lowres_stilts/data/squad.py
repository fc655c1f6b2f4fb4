"""The reader of SQuAD's JSON, which XQuAD, MLQA and TyDi QA share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lowres_stilts.data.formats import has_records, read_document, read_json
from lowres_stilts.data.readers import Record, shown
from lowres_stilts.errors import DataError


def read_squad(path: Path) -> Iterator[Record]:
    """Questions with their context: `id`, `question`, `context`, `answers` (or none), `is_impossible`.

    A record's place is its path in the document, such as `data[0].paragraphs[2].qas[1]`. JSON lines, or a list,
    with these fields are read too.

    Raises:
        DataError: the file is no JSON of this shape.
    """
    if has_records(path):
        yield from read_json(path)
        return
    for paragraph in read_squad_paragraphs(path):
        for item, place in _items(paragraph, "qas"):
            yield Record(path, place, {**item, "context": paragraph.fields.get("context")})


def read_squad_paragraphs(path: Path) -> Iterator[Record]:
    """Paragraphs, each with `context` and a list `qas` of questions.

    Raises:
        DataError: the file is no JSON of this shape.
    """
    for article, place in _items(Record(path, "", _document(path)), "data"):
        for paragraph, inner in _items(Record(path, place, article), "paragraphs"):
            yield Record(path, inner, paragraph)


def _document(path: Path) -> dict[str, Any]:
    document = read_document(path)
    if not isinstance(document, dict):
        raise DataError(f"{path}: expected a JSON object with 'data', found {shown(document)}")
    return document


def _items(record: Record, key: str) -> Iterator[tuple[dict[str, Any], str]]:
    items = record.fields.get(key)
    if not isinstance(items, list):
        raise record.error(f"expected a list {key!r}, found {shown(items)}")
    for index, item in enumerate(items):
        place = f"{record.line}.{key}[{index}]".removeprefix(".")
        if not isinstance(item, dict):
            raise Record(record.path, place, {}).error(f"expected an object, found {shown(item)}")
        yield item, place
