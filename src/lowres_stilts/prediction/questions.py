"""What the columns of a row ask, in the form that families of tasks take."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from lowres_stilts.errors import UsageError
from lowres_stilts.prediction.rows import Row
from lowres_stilts.runtime.families import FAMILIES, require_characters
from lowres_stilts.runtime.manifest import AdapterPart


def question_of(row: Row, part: AdapterPart, renamed: Mapping[str, str]) -> Any:
    """What to ask the adapter; None where there is nothing in it.

    Args:
        row: a row of the file.
        part: what the adapter is for.
        renamed: the file's names of our columns, where it has others.

    Raises:
        DataError: a column is missing, or holds something else.
    """
    given = _Columns(row, renamed)
    asked = ASK[part.family](given, part)
    if asked is None:
        return None
    try:
        require_characters(FAMILIES[part.family].check(part, asked))
    except UsageError as error:
        raise row.record.error(str(error)) from error
    return asked


class _Columns:
    """A row's columns by our names."""

    def __init__(self, row: Row, renamed: Mapping[str, str]) -> None:
        self._row, self._renamed = row, renamed

    def name(self, ours: str) -> str:
        return self._renamed.get(ours, ours)

    def __contains__(self, ours: str) -> bool:
        return self.name(ours) in self._row.fields

    def get(self, ours: str) -> Any:
        """What stands in a column.

        Raises:
            DataError: there is none of this name.
        """
        name, fields = self.name(ours), self._row.fields
        if name not in fields:
            close = difflib.get_close_matches(name, list(fields), n=1)
            there = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(fields) or 'none'};"
            raise self._row.record.error(f"no column {name!r}; {there} --column {ours}=NAME says which it is")
        return fields[name]


def _classification(given: _Columns, part: AdapterPart) -> Any:
    pair = part.texts == 2 or (part.texts is None and "text_pair" in given)
    texts = [given.get("text"), *([given.get("text_pair")] if pair else [])]
    if any(_is_blank(text) for text in texts):
        return None
    return tuple(texts) if pair else texts[0]


def _tagging(given: _Columns, _: AdapterPart) -> Any:
    found = given.get("tokens" if "tokens" in given else "text")
    return None if _is_blank(found) or found == [] else found


def _qa(given: _Columns, _: AdapterPart) -> Any:
    asked = given.get("question"), given.get("context")
    return None if any(map(_is_blank, asked)) else asked


def _multiple_choice(given: _Columns, _: AdapterPart) -> Any:
    """`choices` is a list, or columns `choice0`, `choice1` and so on hold them."""
    if "choices" in given or "choice0" not in given:
        choices = given.get("choices")
    else:
        names: list[str] = []
        while (name := f"choice{len(names)}") in given:
            names.append(name)
        choices = [found for name in names if not _is_blank(found := given.get(name))]
    return None if _is_blank(given.get("prompt")) else (given.get("prompt"), choices)


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


ASK: dict[str, Callable[[_Columns, AdapterPart], Any]] = {
    "classification": _classification,
    "tagging": _tagging,
    "qa": _qa,
    "multiple_choice": _multiple_choice,
}
