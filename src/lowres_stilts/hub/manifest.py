"""`stilts.json`: what a package is, and what it was made of."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from lowres_stilts.errors import PackageError
from lowres_stilts.hub.composition import Composition
from lowres_stilts.hub.parts import Sha256, Size
from lowres_stilts.parts import Part, read_part
from lowres_stilts.plugins import one_of

MANIFEST = "stilts.json"


class Base(Part):
    """The frozen encoder."""

    id: str
    """Its name on the Hub."""
    sha256: Sha256 | None
    """Of the weights that were really used."""
    model_type: Literal["xlm-roberta", "xlm-roberta-xl", "bert"]
    quantize: Literal["none", "int8", "nf4"]
    embeddings: Literal["none", "int8", "nf4"]
    compute: Literal["float32", "bf16"]


class TaskPart(Part):
    """A task that the package has a head for; of a language adapter, the task that it was trained on."""

    name: str
    family: Annotated[str, one_of("families", "classification", "multiple_choice", "tagging", "qa", "mlm")]
    texts: Literal[1, 2] | None = None
    """Of a classified example: one text or a pair; None in packages that do not say, and for other families."""
    labels: list[str]
    metric: str
    max_length: Annotated[int, Field(gt=0)]
    licence: str
    examples: int
    """Training examples."""
    languages: dict[str, int] | None = None
    """Training examples by language; None in packages that do not say."""
    dev_score: float | None
    dev_examples: int | None = None
    """Those of the English dev set."""
    dev_chance: float | None = None
    """What one answer for all scores on the dev set, in points."""


class Source(Part):
    """Training data of a phase that came before."""

    phase: str
    task: str
    licence: str
    examples: int
    languages: dict[str, int]
    """Examples by language."""


class Below(Part):
    """A module that this one was stacked on or made of."""

    phase: str
    sha256: Sha256
    """Of the weights that its phase wrote."""


class Example(Part):
    """Texts of the card, and what the stored weights make of them."""

    texts: Annotated[list[str], Field(min_length=1)]
    """A text or two; the words of a sentence; a prompt and its choices; a question and its context."""
    answer: str | list[str]
    """A label, a tag for each word, the chosen text, or the answer in the context."""


class Origin(Part):
    """Another package that this one was made of."""

    phase: str
    """That it stood for."""
    id: str
    """Its folder or repository; of a folder elsewhere on that machine, its name."""
    name: str
    revision: str | None
    """The commit of the repository."""
    sha256: Sha256
    """Of its `SHA256SUMS`."""


class Manifest(Part):
    """All of `stilts.json`."""

    format: Literal[1]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    kind: Literal["lora", "bottleneck", "language"]
    phase: str
    rank: Size | None = None
    """Of a LoRA."""
    dora: bool = False
    composition: Composition | None = None
    """Of AdapterHub's modules."""
    base: Base
    head: Literal["library", "mean"]
    auto_class: str
    """The class that loads it whole: of transformers, or AutoAdapterModel; AutoModel where the head lies in
    head.safetensors, or where there is none."""
    tasks: Annotated[list[TaskPart], Field(min_length=1)]
    stack: list[Below]
    """From the bottom up."""
    before: list[Source] | None = None
    """What earlier phases, whose modules are in it or below it, learned from; None in packages that do not say."""
    packages: tuple[Origin, ...] = ()
    """Those that it began with, in the place of an intermediate phase."""
    data_sha256: Sha256
    """Of the training examples in their order."""
    licence: str | None = None
    """Of the package, as its recipe states it; None where it follows from that of the data."""
    updates: int | None = None
    """How many its phase made."""
    best_update: int | None = None
    """After which one its weights were taken."""
    example: Example | None = None
    scores: dict[str, Any]
    """As in results.json: by task and language."""
    baseline: dict[str, Any]
    chance: dict[str, dict[str, float]] | None = None
    """What one answer for all scores, in points, by task and language; None in packages that do not say."""
    evaluation: dict[str, Any]
    recipe: dict[str, Any]
    versions: dict[str, str]

    @model_validator(mode="after")
    def _is_of_its_kind(self) -> Self:
        if (self.kind == "lora") != (self.rank is not None) or (self.kind == "lora") == (
            self.composition is not None
        ):
            raise ValueError(f"kind {self.kind}: a LoRA has a rank, and AdapterHub's modules have a composition")
        if self.composition is not None and (self.kind == "language") != (self.composition.language is not None):
            raise ValueError(f"kind {self.kind}: a language adapter has a language, and nothing else has one")
        return self


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a package.

    Raises:
        PackageError: it is missing, malformed, or has unknown keys.
    """
    return read_part(folder / MANIFEST, Manifest, PackageError, "adapter package")


def dump_manifest(manifest: Manifest) -> str:
    """Indented JSON."""
    return (
        json.dumps(
            manifest.model_dump(mode="json", exclude_unset=True), indent=2, ensure_ascii=False, allow_nan=False
        )
        + "\n"
    )
