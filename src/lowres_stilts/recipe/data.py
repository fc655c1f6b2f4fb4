"""Where examples come from, and tasks of the user's own."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lowres_stilts.recipe.settings import Name, Positive, Settings, Split


class DataSettings(Settings):
    """Where examples come from."""

    source: Literal["xtreme", "starter", "files", "hub"] = "xtreme"
    """`xtreme`: XTREME's download folder; `starter`: the offline package; `files`: paths named below; `hub`."""
    dir: Path | None = None
    """The data folder, relative to the working directory."""
    files: dict[Name, dict[Split, str | list[str]]] = {}
    """Paths that replace a task's own, per split, below `dir`; `{lang}` stands for the language."""

    revisions: dict[Name, str] = {}
    """From the Hub: the commit, tag or branch of a task's data set, by task; the results name the commit."""
    streaming: bool = False
    """From the Hub: read rows as they arrive instead of downloading whole files."""

    @model_validator(mode="after")
    def _needs_dir(self) -> Self:
        if self.source == "xtreme" and self.dir is None:
            raise ValueError("source xtreme needs dir, the folder that XTREME's download script filled")
        return self

    def moved(self, source: str | None, folder: Path | None) -> Self:
        """The same data at another source or in another folder, such as on another machine.

        Names of files stay where they are all there is: those of tasks of XTREME are not needed in its folder.

        Args:
            source: another one, which has only its usual files; the same where it is None.
            folder: another one.

        Raises:
            pydantic.ValidationError: there is no such source, or it needs a folder.
        """
        if source is None and folder is None:
            return self
        kept = self.source == "files" and source in {None, "files"}
        values = {"source": source or ("files" if kept else "xtreme"), "dir": folder}
        return self.model_validate(values | ({"files": self.files} if kept else {}))


FIELDS = {
    "classification": ("text", "text_pair", "label"),
    "tagging": ("text", "tokens", "tags", "label"),
    "multiple_choice": ("prompt", "choices", "label"),
    "qa": ("id", "question", "context", "answers"),
    "retrieval": ("source", "english"),
}
"""What the files of each family have."""


class CustomTask(Settings):
    """A task of the user's own, with its files under `data.files`."""

    family: Literal["classification", "multiple_choice", "tagging", "qa", "retrieval"]
    """How it is encoded and which head it gets."""
    languages: Annotated[list[Name], Field(min_length=1)]
    """Languages of its test split."""
    labels: list[str] = []
    """The labels of a classification or the tags of a tagging task."""
    label_names: dict[str, str] = {}
    """Other spellings of labels in the files, each with the label, or the type of entity, that it means."""
    columns: dict[str, str] = {}
    """The files' own names of fields, by ours: `{text: review, label: sentiment}`."""
    delimiter: Annotated[str, Field(pattern=r'^[^"\r\n]$')] | None = None
    """Between the columns of a table; by default as in the header, else a comma in `.csv` and a tab in others."""
    header: bool | None = None
    """Whether a table's first line names its columns; by default where it names all that are needed."""
    quoting: Literal["auto", "none", "minimal"] = "auto"
    """Whether cells may stand in quotes; `auto`: in CSV, and in TSV if every cell with a quote is in quotes."""
    pair: bool = False
    """Whether a classification has two texts, `text` and `text_pair`."""
    max_length: Positive = 128
    """Most tokens of one sequence."""
    licence: str = ""
    """Licence of its data, for the cards of packages that are trained on it."""

    @model_validator(mode="after")
    def _needs_labels(self) -> Self:
        if self.family in {"classification", "tagging"} and len(set(self.labels)) < 2:
            raise ValueError(f"a {self.family} task needs at least two labels")
        if twice := [label for label, count in Counter(self.labels).items() if count > 1]:
            raise ValueError(f"labels has {twice[0]!r} twice")
        known = {
            *self.labels,
            *(label[2:] for label in self.labels if self.family == "tagging" and label[1:2] == "-"),
        }
        if strange := [label for label in self.label_names.values() if label not in known]:
            raise ValueError(f"label_names: {strange[0]!r} is not one of the labels {', '.join(self.labels)}")
        return self

    @model_validator(mode="after")
    def _has_tables(self) -> Self:
        table = {
            "delimiter": self.delimiter,
            "header": self.header,
            "quoting": {"auto": None}.get(self.quoting, "set"),
        }
        given = [name for name, value in table.items() if value is not None]
        if given and self.family not in {"classification", "retrieval"}:
            raise ValueError(f"{given[0]}: a {self.family} task has no tables; remove it")
        return self

    @model_validator(mode="after")
    def _knows_columns(self) -> Self:
        known = FIELDS[self.family] if self.family != "classification" or self.pair else ("text", "label")
        if strange := [name for name in self.columns if name not in known]:
            raise ValueError(
                f"columns: {strange[0]!r} is no field of this task; its fields are {', '.join(known)}"
            )
        return self
