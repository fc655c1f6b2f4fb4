"""Examples without labels whose labels stand somewhere else in the file: another column, or the text itself."""

import re
from typing import Any

from lowres_stilts.data.examples import TaggedSentence, TextExample
from lowres_stilts.data.readers import Record
from lowres_stilts.errors import DataError
from lowres_stilts.tasks.task import Task


class LabelsElsewhere:
    """Goes along with the records of a task that have no label, and notes what could be one in all of them."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.labels = {*task.labels, *task.label_names}
        spelled = "|".join(map(re.escape, sorted(self.labels, key=len, reverse=True)))
        self.glued = re.compile(rf".+[,;|]\s*({spelled})|({spelled})\s*[,;|].+", re.DOTALL)
        self.columns: set[str] | None = None
        self.glued_text: Record | None = None
        self.count = 0

    def see(self, record: Record, example: Any) -> None:
        """Takes one record without label into account.

        Raises:
            DataError: the words of a sentence are words and tags with a comma between.
        """
        if not self.labels:
            return
        if isinstance(example, TaggedSentence):
            self._see_words(record, example)
        elif isinstance(example, TextExample):
            found = {
                name
                for name, value in record.fields.items()
                if name not in self.task.fields and isinstance(value, str | int) and str(value) in self.labels
            }
            self.columns = found if self.columns is None else self.columns & found
            text = example.text if example.text_pair is None else ""
            if self.count < 2:  # the first may be a header
                self.glued_text = record if self.glued.fullmatch(text) else None
            elif not self.glued.fullmatch(text):
                self.glued_text = None
            self.count += 1

    def require_none(self, path: str) -> None:
        """Stops where all records had a label elsewhere.

        Raises:
            DataError: they had.
        """
        if self.columns:
            name = min(self.columns)
            raise DataError(
                f"{path}: no column {self.task.label_field!r}, but {name!r} has labels; "
                f"set tasks.{self.task.name}.columns: {{{self.task.label_field}: {name}}}, or remove the column"
            )
        if self.glued_text is not None and self.count > 1:
            raise self.glued_text.error(
                f"expected a text, a tab and a label, found {self.glued_text.fields[self.task.fields[0]]!r}; "
                "name a file with commas .csv, or set the task's delimiter"
            )

    def _see_words(self, record: Record, example: TaggedSentence) -> None:
        words = example.words[1:] if self.count == 0 and len(example.words) > 1 else example.words
        self.count += 1
        if all(self.glued.fullmatch(word) for word in words):
            raise record.error(f"expected a token, a tab and a tag, found {words[0]!r}")
