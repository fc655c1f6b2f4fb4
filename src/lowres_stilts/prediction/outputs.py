"""Answers as files: JSON lines, a table, CoNLL, or what Label Studio and doccano import."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from lowres_stilts.errors import UsageError
from lowres_stilts.prediction.rows import Row
from lowres_stilts.runtime.manifest import AdapterPart
from lowres_stilts.runtime.predictions import Answer, Choice, Label, Prediction, Tagged

Output = Literal["jsonl", "tsv", "conll", "label-studio", "doccano"]
OUTPUTS: tuple[Output, ...] = get_args(Output)
NAME = "prediction"
"""Of the column with the answer; further ones begin with it."""
DIGITS = 6
"""Of probabilities."""


@dataclass(frozen=True)
class Writer:
    """Makes a file of answers, piece by piece."""

    piece: Callable[[Row, Prediction | None], str]
    """What stands for a row, with its answer, or without one."""
    head: str = ""
    between: str = ""
    """Between the pieces of two rows."""
    tail: str = ""


def writer_of(kind: str, part: AdapterPart, columns: Mapping[str, str], version: str, first: Row | None) -> Writer:
    """The writer of a format.

    Args:
        kind: its name.
        part: the adapter that answers.
        columns: the file's names of our columns.
        version: of the adapter; Label Studio shows it.
        first: the first row, which says what columns a table has; none of a file without rows.

    Raises:
        UsageError: there is no such format, or not for the adapter's family.
        DataError: a column of the answers is there already.
    """
    text = columns.get("text", "text")
    if kind == "jsonl":
        return Writer(_json_line)
    if kind == "tsv":
        names, given = _cells_of(part.family), [] if first is None else [*first.fields]
        if first is not None:
            _require_free(first, names)
        return Writer(lambda row, answer: _table_row(row, answer, given, names), _cells([*given, *names]))
    if kind == "conll" and part.family == "tagging":
        return Writer(_sentence)
    if kind == "label-studio" and part.family in {"classification", "tagging"}:
        model = f"{part.name}-{version[:12]}"
        return Writer(lambda row, answer: _label_studio(row, answer, text, model), "[\n", ",\n", "\n]\n")
    if kind == "doccano" and part.family in {"classification", "tagging"}:
        return Writer(lambda row, answer: _doccano(row, answer, text))
    if kind not in OUTPUTS:
        raise UsageError(f"--format: {kind!r} is none of {', '.join(OUTPUTS)}")
    raise UsageError(f"--format {kind}: not for answers of the family {part.family}; jsonl is for all")


def confidence_of(answer: Prediction | None) -> float:
    """How likely an answer is; of tags, how likely the least likely of them is, and 0 where there is none."""
    if answer is None:
        return 0.0
    if isinstance(answer, Tagged):
        return min(answer.scores, default=1.0)
    return max(answer.scores) if isinstance(answer, Choice) else answer.score


def plain(answer: Prediction) -> dict[str, Any]:
    """An answer as JSON has it."""
    if isinstance(answer, Label):
        scores = {name: round(score, DIGITS) for name, score in answer.scores.items()}
        return {"label": answer.label, "score": round(answer.score, DIGITS), "scores": scores}
    if isinstance(answer, Tagged):
        entities = [asdict(entity) | {"score": round(entity.score, DIGITS)} for entity in answer.entities]
        scores_of_words = [round(score, DIGITS) for score in answer.scores]
        return {
            "tokens": list(answer.words),
            "tags": list(answer.tags),
            "scores": scores_of_words,
            "entities": entities,
        }
    if isinstance(answer, Answer):
        return {
            "answer": answer.text,
            "start": answer.start,
            "end": answer.end,
            "score": round(answer.score, DIGITS),
        }
    return {"index": answer.index, "scores": [round(score, DIGITS) for score in answer.scores]}


def _json_line(row: Row, answer: Prediction | None) -> str:
    _require_free(row, [NAME])
    fields = {**row.fields, NAME: None if answer is None else plain(answer)}
    return json.dumps(fields, ensure_ascii=False) + "\n"


def _cells_of(family: str) -> list[str]:
    """The columns of a table that hold an answer."""
    more = {"tagging": ["tokens"], "qa": ["start", "end"]}.get(family, [])
    return [NAME, *(f"{NAME}_{name}" for name in (*more, "score"))]


def _table_row(row: Row, answer: Prediction | None, columns: list[str], names: list[str]) -> str:
    if other := sorted(row.fields.keys() ^ set(columns)):
        raise row.record.error(f"the first row has other columns ({other[0]!r}); a table has the same in each")
    values = [row.fields[name] for name in columns]
    given = [value if isinstance(value, str) else _as_cell(value) for value in values]
    if answer is None:
        return _cells([*given, *("" for _ in names)])
    score = f"{confidence_of(answer):.{DIGITS}f}"
    if isinstance(answer, Tagged):
        found = [" ".join(answer.tags), " ".join(answer.words)]
    elif isinstance(answer, Answer):
        found = [answer.text, str(answer.start), str(answer.end)]
    else:
        found = [answer.label if isinstance(answer, Label) else str(answer.index)]
    return _cells([*given, *found, score])


def _as_cell(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _cells(cells: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, delimiter="\t", lineterminator="\n").writerow(cells)
    return line.getvalue()


def _sentence(row: Row, answer: Prediction | None) -> str:
    """The lines of the file with a tag behind each token, or a token and a tag in each line."""
    tags = answer.tags if isinstance(answer, Tagged) else ()
    if row.block is None:
        words = answer.words if isinstance(answer, Tagged) else ()
        lines = [f"{word}\t{tag}" for word, tag in zip(words, tags, strict=True)]
        return "\n".join(lines) + "\n\n" if lines else "\n"
    lines = list(row.block.lines)
    for place, tag in zip(row.block.places, tags, strict=False):
        lines[place] += f"{row.block.between}{tag}"
    return "\n".join(lines) + "\n\n"


def _label_studio(row: Row, answer: Prediction | None, text: str, model: str) -> str:
    """A task with a prediction, for controls `label` over an object `text`."""
    data = _shown_text(row, answer, text)
    results = [{"from_name": "label", "to_name": "text", **found} for found in _results(answer)]
    told = {"model_version": model, "score": round(confidence_of(answer), DIGITS), "result": results}
    return json.dumps({"data": data, "predictions": [] if answer is None else [told]}, ensure_ascii=False)


def _results(answer: Prediction | None) -> list[dict[str, Any]]:
    if isinstance(answer, Label):
        return [{"type": "choices", "value": {"choices": [answer.label]}}]
    entities = answer.entities if isinstance(answer, Tagged) else ()
    return [
        {
            "type": "labels",
            "score": round(entity.score, DIGITS),
            "value": {"start": entity.start, "end": entity.end, "text": entity.text, "labels": [entity.label]},
        }
        for entity in entities
    ]


def _doccano(row: Row, answer: Prediction | None, text: str) -> str:
    """A line with `text` and `label`, as doccano's JSONL has them; further columns become its metadata."""
    labels: list[Any] = [answer.label] if isinstance(answer, Label) else []
    if isinstance(answer, Tagged):
        labels = [[entity.start, entity.end, entity.label] for entity in answer.entities]
    return json.dumps({**_shown_text(row, answer, text), "label": labels}, ensure_ascii=False) + "\n"


def _shown_text(row: Row, answer: Prediction | None, text: str) -> dict[str, Any]:
    """The columns, with a `text` that offsets count in; of words, these with a space between."""
    fields = dict(row.fields)
    if text in fields:
        return {**fields, "text": fields[text]}
    tokens = fields.get("tokens", [])
    return {**fields, "text": answer.text if isinstance(answer, Tagged) else " ".join(tokens)}


def _require_free(row: Row, names: list[str]) -> None:
    """Columns of answers must not stand there already."""
    for name in names:
        if name in row.fields:
            raise row.record.error(f"there is a column {name!r} already, where the answer should stand; rename it")
