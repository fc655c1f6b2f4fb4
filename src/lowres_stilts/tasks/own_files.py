"""Readers for files of the user's own: tables, JSON, CoNLL, and what annotation tools export."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from lowres_stilts.data.annotations import labelled_texts, tagged_words
from lowres_stilts.data.formats import is_json, read_json
from lowres_stilts.data.own_tables import Layout, read_own, renamed
from lowres_stilts.data.readers import Record
from lowres_stilts.data.webanno import is_webanno, read_webanno
from lowres_stilts.tasks.tagging import read_tagged
from lowres_stilts.tasks.task import Reader


def own_texts(fields: Sequence[str], layout: Layout) -> Reader:
    """A reader of texts with a label: tables, JSON, and exports of doccano and Label Studio."""

    def read(path: Path) -> Iterator[Record]:
        if is_json(path):
            return labelled_texts(read_json(path), layout.columns)
        return read_own(path, [*fields, "label"], layout)

    return read


def own_tagged(layout: Layout) -> Reader:
    """A reader of tagged words: CoNLL, JSON, and exports of doccano, Label Studio and INCEpTION."""

    def read(path: Path) -> Iterator[Record]:
        if is_json(path):
            return tagged_words(read_json(path), layout.columns)
        return read_webanno(path) if is_webanno(path) else read_tagged(path)

    return read


def own_json(read_file: Reader, layout: Layout) -> Reader:
    """The same reader with the file's own names for its fields; answers and labels may be missing."""
    return lambda path: renamed(read_file(path), layout.columns, {"answers", "label"})
