"""Where examples come from, and tasks of the user's own."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lowres_stilts.recipe.settings import Positive, Settings, Split


class DataSettings(Settings):
    """Where examples come from."""

    source: Literal["xtreme", "starter", "files", "hub"] = "xtreme"
    """`xtreme`: XTREME's download folder; `starter`: the offline package; `files`: paths named below; `hub`."""
    dir: Path | None = None
    """The data folder, relative to the working directory."""
    files: dict[str, dict[Split, str | list[str]]] = {}
    """Paths that replace a task's own, per split, below `dir`; `{lang}` stands for the language."""

    revisions: dict[str, str] = {}
    """From the Hub: the commit, tag or branch of a task's data set, by task; the results name the commit."""
    streaming: bool = False
    """From the Hub: read rows as they arrive instead of downloading whole files."""

    @model_validator(mode="after")
    def _needs_dir(self) -> Self:
        if self.source == "xtreme" and self.dir is None:
            raise ValueError("source xtreme needs dir, the folder that XTREME's download script filled")
        return self


class CustomTask(Settings):
    """A task of the user's own, with its files under `data.files`."""

    family: Literal["classification", "multiple_choice", "tagging", "qa", "retrieval"]
    """How it is encoded and which head it gets."""
    languages: Annotated[list[str], Field(min_length=1)]
    """Languages of its test split."""
    labels: list[str] = []
    """The labels of a classification or the tags of a tagging task."""
    pair: bool = False
    """Whether a classification has two texts, `text` and `text_pair`."""
    max_length: Positive = 128
    """Most tokens of one sequence."""

    @model_validator(mode="after")
    def _needs_labels(self) -> Self:
        if self.family in {"classification", "tagging"} and len(set(self.labels)) < 2:
            raise ValueError(f"a {self.family} task needs at least two labels")
        return self
