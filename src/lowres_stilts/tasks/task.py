"""The record that describes a task. Adding a task means adding one of these to the catalog."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from lowres_stilts.data.examples import Defect, Defective, Example, Pool
from lowres_stilts.data.hub import HubDataset
from lowres_stilts.data.readers import Record

Split = Literal["train", "dev", "test"]
FamilyName = str
"""`retrieval`, or a key of `lowres_stilts.tasks.families.FAMILIES`."""
Search = Literal["nearest", "mine", "rank"]
Reader = Callable[[Path], Iterator[Record]]
"""Reads a file strictly; raises `DataError` with file and line."""
Parser = Callable[[Record, "Task"], Example | Defective]
"""Makes an example of a record, or says which defect it has; raises `DataError` with its place."""
PoolReader = Callable[[Path, "Task", str], Pool]
"""Reads the queries of a language and what they search; further files lie beside the path."""
TEXTS: Mapping[int, Literal[1, 2]] = MappingProxyType({1: 1, 2: 2})
NOTHING: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Translated:
    """English training data in other languages, in XTREME's translate-train format."""

    path: str
    """Template below the data folder, with `{lang}`."""
    reader: Reader


@dataclass(frozen=True)
class Task:
    """One task: where its files are, how they read, and how it is scored."""

    name: str
    family: FamilyName
    summary: str
    languages: tuple[str, ...]
    """Languages of the test split, as they are spelled in file names."""
    metric: str
    """A key of `lowres_stilts.evaluation.metrics.METRICS`."""
    reader: Reader | None = None
    """The layout of its files; None for retrieval."""
    parser: Parser | None = None
    """From a record of the files, or of the Hub, to an example; None for retrieval."""
    pool: PoolReader | None = None
    """Retrieval's reader."""
    search: Search = "nearest"
    """How retrieval answers: the nearest candidate, mined pairs above a threshold, or a ranking."""
    files: Mapping[Split, str | tuple[str, ...]] = field(default_factory=lambda: NOTHING)
    """Path templates below the data folder, with `{lang}` for the language."""
    also: Mapping[Split, str] = field(default_factory=lambda: NOTHING)
    """Templates of the same files by other names, taken where those of `files` are not there."""
    hub: HubDataset | None = None
    """Where it is on the Hugging Face Hub, for a task that is there as Parquet."""
    translated: Translated | None = None
    fields: tuple[str, ...] = ()
    """Names of its text fields, for a text or a pair of texts."""
    label_field: str = "label"
    labels: tuple[str, ...] = ()
    """Labels in the order of the head's outputs; empty where the head scores choices or sentences."""
    label_names: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """Other spellings of the labels, in files or on the Hub."""
    english: str = "en"
    """How the language of training is spelled."""
    parts: tuple["Task", ...] = ()
    """Tasks whose examples, one after the other, are this one's."""
    trained_on: "Task | None" = None
    """The English task that gives it training and dev data on the Hub, where it has none of its own."""
    max_length: int = 128
    """Most tokens of one sequence, special tokens counted in."""
    tolerates: frozenset[Defect] = frozenset()
    """Known defects of a published set, which are counted and left out instead of ending a run."""
    layout: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    """How a recipe says that the files of a task of the user's own are written, where it says so."""
    public_labels: bool = True
    """Whether the labels of the test split are public."""
    answers_at: str = ""
    """Where labelled test files are to be had, for a task whose answers XTREME's download script withholds."""
    licence: str = ""
    citation: str = ""

    @property
    def texts(self) -> Literal[1, 2] | None:
        """How many texts a classified example has; None for other families."""
        if self.family != "classification":
            return None
        return TEXTS.get(len(self.fields))

    def paths(self, split: Split) -> tuple[str, ...]:
        """The path templates of a split."""
        templates = self.files.get(split, ())
        return (templates,) if isinstance(templates, str) else templates

    def label(self, record: Record, value: object) -> str:
        """The label that this value spells.

        Raises:
            DataError: it is none of the task's.
        """
        label = self.label_names.get(str(value), str(value))
        if label not in self.labels:
            raise record.error(f"label {value!r} is not one of {', '.join(self.labels)}")
        return label

    def example(self, record: Record) -> Example | Defective:
        """The example of a record, or its defect."""
        if self.parser is None:
            raise TypeError(f"{self.name} has no examples, but a pool")
        return Defective(record.defect) if record.defect else self.parser(record, self)

    def records(self, path: Path) -> Iterator[Record]:
        """Records of a file, one by one."""
        if self.reader is None:
            raise TypeError(f"{self.name} has no examples, but a pool")
        return self.reader(path)

    def read(self, path: Path) -> Iterator[Example | Defective]:
        """Examples of a file, one by one."""
        return map(self.example, self.records(path))
