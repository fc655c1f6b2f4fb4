"""What annotation tools export, as records of text and label, or of words and tags.

Read are doccano's JSON lines, and Label Studio's JSON and JSON-MIN; WebAnno TSV and CoNLL have their own readers.
Spans by character become IOB2 tags on the words of the text, which are found as for texts that are to be tagged.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lowres_stilts.data.own_tables import renamed
from lowres_stilts.data.readers import Record, shown
from lowres_stilts.text.words import words_in

Span = tuple[int, int, str]
"""First character, the character behind the last, and the label."""


def labelled_texts(records: Iterable[Record], columns: Mapping[str, str]) -> Iterator[Record]:
    """Records with one `label` for each text, from whatever of doccano or Label Studio they come.

    Args:
        records: of JSON.
        columns: the file's own names of our fields, where they differ.

    Raises:
        DataError: a text has several labels.
    """
    for record in renamed(map(_flat, records), columns, {"label"}):
        found = record.fields.get("label")
        if isinstance(found, Mapping):  # JSON-MIN with several choices
            found = found.get("choices")
        if isinstance(found, list):
            if len(found) > 1:
                raise record.error(f"expected one label, found {len(found)}: {shown(found)}")
            found = found[0] if found else None
        yield replace(record, fields=record.fields | {"label": found})


def tagged_words(records: Iterable[Record], columns: Mapping[str, str]) -> Iterator[Record]:
    """Records with `tokens` and `tags`: those that have them, and texts with spans by character.

    Args:
        records: of JSON.
        columns: the file's own names of our fields, where they differ.

    Raises:
        DataError: a span is not within the text, cuts a word, or overlaps another.
    """
    for record in renamed(map(_flat, records), columns, {"tags", "label"}):
        if "tokens" in record.fields or "text" not in record.fields:
            yield record
            continue
        text, spans = record.text("text"), _spans(record)
        words = words_in(text)
        tokens = [text[start:end] for start, end in words]
        tags = None if spans is None else _iob2(record, text, words, spans)
        yield replace(record, fields=record.fields | {"tokens": tokens, "tags": tags})


def _flat(record: Record) -> Record:
    """A task of Label Studio's JSON as one of JSON-MIN; others as they are."""
    data = record.fields.get("data")
    if not isinstance(data, Mapping):
        return record
    done = [each for each in _listed(record, "annotations") if not each.get("was_cancelled")]
    label = _results(record, done[0]) if done else None
    return replace(record, fields={**data, **({} if label is None else {"label": label})})


def _results(record: Record, annotation: Mapping[str, Any]) -> list[Any]:
    """Chosen labels, or spans, of one annotation."""
    found: list[Any] = []
    results = annotation.get("result")
    if not isinstance(results, list):
        raise record.error(f"expected an annotation with a list 'result', found {shown(results)}")
    for result in results:
        value = result.get("value") if isinstance(result, Mapping) else None
        if not isinstance(value, Mapping):
            raise record.error(f"expected a result with a 'value', found {shown(result)}")
        if "choices" in value:
            found += value["choices"]
        elif "labels" in value:
            found.append(value)
    return found


def _spans(record: Record) -> list[Span] | None:
    """Spans of a text, first to last; None where it was not annotated."""
    given = record.fields.get("label", record.fields.get("entities"))
    if "entities" in record.fields and not record.fields.get("label"):
        given = record.fields["entities"]
    if given is None:
        return None
    if not isinstance(given, list):
        raise record.error(f"expected a list of spans, found {shown(given)}")
    return sorted(_span(record, item) for item in given)


def _span(record: Record, item: Any) -> Span:
    match item:
        case [int(start), int(end), str(label)]:
            return start, end, label
        case {"start_offset": int(start), "end_offset": int(end), "label": str(label)}:
            return start, end, label
        case {"start": int(start), "end": int(end), "labels": [str(label)]}:
            return start, end, label
    raise record.error(f"expected a span with its first and last character and one label, found {shown(item)}")


def _iob2(record: Record, text: str, words: Sequence[tuple[int, int]], spans: Sequence[Span]) -> list[str]:
    tags = ["O"] * len(words)
    for start, end, label in spans:
        if not 0 <= start < end <= len(text):
            raise record.error(
                f"span {start} to {end} ({label}) is not within the {len(text)} characters of the text"
            )
        inside = text[start:end]
        first, last = start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())
        covered = [index for index, (a, b) in enumerate(words) if a < last and b > first]
        if not covered or words[covered[0]][0] != first or words[covered[-1]][1] != last:
            raise record.error(f"span {shown(text[start:end])} ({label}) at character {start} cuts a word")
        if any(tags[index] != "O" for index in covered):
            raise record.error(f"span {shown(text[start:end])} ({label}) at character {start} overlaps another")
        for index in covered:
            tags[index] = f"{'B' if index == covered[0] else 'I'}-{label}"
    return tags


def _listed(record: Record, key: str) -> list[Mapping[str, Any]]:
    items = record.fields.get(key, [])
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise record.error(f"expected a list {key!r} of objects, found {shown(items)}")
    return items
