"""Readers for files of the user's own: tables, JSON, CoNLL, and what annotation tools export."""

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from lowres_stilts.data.annotations import labelled_texts, tagged_words
from lowres_stilts.data.formats import is_json, read_json
from lowres_stilts.data.own_tables import Layout, read_own, renamed
from lowres_stilts.data.readers import Record
from lowres_stilts.data.webanno import is_webanno, read_webanno, read_webanno_texts
from lowres_stilts.tasks.tagging import read_tagged
from lowres_stilts.tasks.task import Reader

LABEL_LIKE = re.compile("label|class|categor|sentiment|emotion|target|gold|rating|topic|intent", re.IGNORECASE)


def own_texts(fields: Sequence[str], layout: Layout, labels: Collection[str]) -> Reader:
    """A reader of texts with a label: tables, JSON, and exports of doccano, Label Studio and INCEpTION.

    Args:
        fields: the text, or both texts.
        layout: how tables are written, and the names of columns.
        labels: all spellings of the task's labels.
    """

    def read(path: Path) -> Iterator[Record]:
        if is_json(path):
            records = labelled_texts(read_json(path), layout.columns)
        elif is_webanno(path):
            records = read_webanno_texts(path, layout.columns.get("label"))
        else:
            records = read_own(path, [*fields, "label"], layout)
        return _first_fits(records, fields, labels)

    return read


def own_tagged(layout: Layout, labels: Collection[str]) -> Reader:
    """A reader of tagged words: CoNLL, JSON, and exports of doccano, Label Studio and INCEpTION.

    Args:
        layout: the names of fields.
        labels: the task's tags.
    """
    layer = layout.columns.get("label") or layout.columns.get("tags")

    def read(path: Path) -> Iterator[Record]:
        if is_json(path):
            return tagged_words(read_json(path), layout.columns, labels)
        return read_webanno(path, layer, labels) if is_webanno(path) else read_tagged(path)

    return read


def own_json(read_file: Reader, layout: Layout) -> Reader:
    """The same reader with the file's own names for its fields; answers and labels may be missing."""
    return lambda path: renamed(read_file(path), layout.columns, {"answers", "label"})


def _first_fits(records: Iterator[Record], fields: Sequence[str], labels: Collection[str]) -> Iterator[Record]:
    """The same records, unless the first shows that its columns are not those that were expected.

    Raises:
        DataError: it has no label but a field with a name as for labels, or it is the header of another table.
    """
    for index, record in enumerate(records):
        if index == 0:
            names = [name for name in record.fields if name not in fields and LABEL_LIKE.search(name)]
            if "label" not in record.fields and names:
                raise record.error(
                    f"no field 'label', but {names[0]!r}; set the task's columns: {{label: {names[0]}}}, "
                    "or remove it"
                )
            label = record.fields.get("label")
            if record.line == 1 and set(record.fields) == {*fields, "label"} and str(label) not in labels:
                found = ", ".join(f"{name}: {record.fields[name]}" for name in (*fields, "label"))
                if isinstance(label, str) and len(found) < 60 and "\n" not in found:
                    raise record.error(
                        f"label {label!r} is not one of {', '.join(sorted(labels))}; where this line names "
                        f"columns, set the task's columns: {{{found}}}"
                    )
        yield record
