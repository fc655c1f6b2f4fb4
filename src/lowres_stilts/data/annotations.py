"""What annotation tools export, as records of text and label, or of words and tags.

Read are doccano's JSON lines, and Label Studio's JSON and JSON-MIN; WebAnno TSV and CoNLL have their own readers.
Spans by character become IOB2 tags on the words of the text, which are found as for texts that are to be tagged.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lowres_stilts.data.own_tables import renamed
from lowres_stilts.data.readers import Record, is_text, shown
from lowres_stilts.text.words import words_in

SPANS = ("tags", "label", "entities", "spans", "labels")
"""Where spans may stand: under our name, or those that doccano, Label Studio and Prodigy give them."""


@dataclass(frozen=True)
class Span:
    """Characters `start:end` of a text with a label, and the text that the tool says is there."""

    start: int
    end: int
    label: str
    text: str | None = None

    def __str__(self) -> str:
        return f"span {self.start} to {self.end} ({self.label})"


def labelled_texts(records: Iterable[Record], columns: Mapping[str, str]) -> Iterator[Record]:
    """Records with one `label` for each text, from whatever of doccano or Label Studio they come.

    Args:
        records: of JSON.
        columns: the file's own names of our fields, where they differ.

    Raises:
        DataError: a text has several labels.
    """
    for record in renamed((_flat(record, columns) for record in records), columns, {"label"}):
        found = record.fields.get("label")
        if isinstance(found, Mapping):  # JSON-MIN with several choices
            found = found.get("choices")
        if isinstance(found, list):
            if len(found) > 1:
                raise record.error(f"expected one label, found {len(found)}: {shown(found)}")
            found = found[0] if found else None
        yield replace(record, fields=record.fields | {"label": found}) if "label" in record.fields else record


def tagged_words(
    records: Iterable[Record], columns: Mapping[str, str], labels: Collection[str] = ()
) -> Iterator[Record]:
    """Records with `tokens` and `tags`: those that have them, and texts with spans by character.

    Args:
        records: of JSON.
        columns: the file's own names of our fields, where they differ.
        labels: the task's tags; a span whose label is one of them, without IOB2's prefix, gives words that tag.

    Raises:
        DataError: a span is not within the text, cuts a word, or overlaps another.
    """
    for record in renamed((_flat(record, columns) for record in records), columns, {"tokens", "tags", "label"}):
        if "tokens" in record.fields or "text" not in record.fields:
            yield record
            continue
        text, spans = record.text("text"), _spans(record)
        words = words_in(text)
        tokens = [text[start:end] for start, end in words]
        tags = None if spans is None else _tags(record, text, words, spans, labels)
        yield replace(record, fields=record.fields | {"tokens": tokens, "tags": tags})


def span_tags(label: str, count: int, labels: Collection[str]) -> list[str]:
    """The tags of the words of a span: IOB2's, or the label itself where the task knows only that."""
    if label in labels and f"B-{label}" not in labels:
        return [label] * count
    return [f"B-{label}", *[f"I-{label}"] * (count - 1)]


def _flat(record: Record, columns: Mapping[str, str]) -> Record:
    """A task of Label Studio's JSON as one of JSON-MIN; others as they are."""
    data = record.fields.get("data")
    if not isinstance(data, Mapping):
        return record
    given = _objects(record, "annotations") or _objects(record, "completions")
    done = [each for each in given if not each.get("was_cancelled")]
    if not done:
        return replace(record, fields=dict(data))
    results = _results(record, done[0])
    wanted = columns.get("label") or columns.get("tags") or "label"
    if wanted not in results:
        if len(results) > 1:
            raise record.error(
                f"labels of several kinds, {', '.join(results)}; say which under columns, such as "
                f"{{label: {next(iter(results))}}}"
            )
        results[wanted] = next(iter(results.values()), [])
    return replace(record, fields={**data, **results})


def _results(record: Record, annotation: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Chosen labels, or spans, of one annotation by the name of the control that they come from."""
    found: dict[str, list[Any]] = {}
    results = annotation.get("result")
    if not isinstance(results, list):
        raise record.error(f"expected an annotation with a list 'result', found {shown(results)}")
    for result in results:
        if not isinstance(result, Mapping):
            raise record.error(f"expected a result with a 'value', found {shown(result)}")
        value, name = result.get("value"), str(result.get("from_name", "label"))
        if not isinstance(value, Mapping):
            continue  # relations have none
        if isinstance(value.get("choices"), list):
            found.setdefault(name, []).extend(value["choices"])
        elif "labels" in value:
            found.setdefault(name, []).append(value)
    return found


def _spans(record: Record) -> list[Span] | None:
    """Spans of a text, first to last; None where it was not annotated."""
    given = [record.fields[name] for name in SPANS if record.fields.get(name) is not None]
    if not given:
        if names := [name for name, value in record.fields.items() if _is_spans(value)]:
            raise record.error(f"no field 'label', but {names[0]!r} has spans; set columns: {{label: {names[0]}}}")
        return None
    found: Any = next((each for each in given if each != []), [])
    if not isinstance(found, list):
        raise record.error(f"expected a list of spans, found {shown(found)}")
    spans = []
    for item in found:
        span = _span(item)
        if span is None:
            raise record.error(
                f"expected a span with its first and last character and one label, found {shown(item)}"
            )
        spans.append(_located(record, span))
    return sorted(spans, key=lambda span: (span.start, span.end))


def _is_spans(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_span(item) is not None for item in value)


def _span(item: Any) -> Span | None:
    text = item.get("text") if isinstance(item, Mapping) else None
    match item:
        case (
            [int(start), int(end), str(label)]
            | {"start_offset": int(start), "end_offset": int(end), "label": str(label)}
            | {"start": int(start), "end": int(end), "labels": [str(label)]}
            | {"start": int(start), "end": int(end), "label": str(label)}
        ) if is_text(label):
            return Span(start, end, label, text if is_text(text) else None)
    return None


def _located(record: Record, span: Span) -> Span:
    """The span in characters of the text, without white space at its ends.

    Label Studio counts as JavaScript does, where an emoji is two characters; the text that it gives with a span
    shows it.
    """
    text = record.text("text")
    start, end = span.start, span.end
    if span.text is not None and not _same(text[start:end], span.text):
        wide = text.encode("utf-16-le")
        before, inside = wide[: 2 * max(0, start)], wide[2 * max(0, start) : 2 * max(0, end)]
        start = len(before.decode("utf-16-le", "replace"))
        end = start + len(inside.decode("utf-16-le", "replace"))
        if not _same(text[start:end], span.text):
            raise record.error(f"{span} is {shown(text[span.start : span.end])}, but should be {shown(span.text)}")
    if not 0 <= start < end <= len(text):
        raise record.error(f"{span} is not within the {len(text)} characters of the text")
    inside_text = text[start:end]
    first, last = end - len(inside_text.lstrip()), start + len(inside_text.rstrip())
    if first >= last:
        raise record.error(f"{span} has nothing but white space")
    return replace(span, start=first, end=last)


def _same(found: str, expected: str) -> bool:
    return found.strip() == expected.replace("\\n", "\n").strip()


def _tags(
    record: Record, text: str, words: Sequence[tuple[int, int]], spans: Sequence[Span], labels: Collection[str]
) -> list[str]:
    tags: dict[int, str] = {}
    for span in spans:
        covered = [index for index, (a, b) in enumerate(words) if a < span.end and b > span.start]
        named = f"span {shown(text[span.start : span.end])} ({span.label}) at character {span.start}"
        if not covered or (words[covered[0]][0], words[covered[-1]][1]) != (span.start, span.end):
            raise record.error(f"{named} cuts a word; its ends must be those of words")
        if any(index in tags for index in covered):
            raise record.error(f"{named} overlaps another; keep one")
        tags.update(zip(covered, span_tags(span.label, len(covered), labels), strict=True))
    return [tags.get(index, "O") for index in range(len(words))]


def _objects(record: Record, key: str) -> list[Mapping[str, Any]]:
    items = record.fields.get(key, [])
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise record.error(f"expected a list {key!r} of objects, found {shown(items)}")
    return items
