"""`bundle.json`: what a bundle holds, and how it was checked."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from lowres_stilts.errors import BundleError
from lowres_stilts.parts import Part, read_part

MANIFEST, MODEL, MIXED, BARE, WEIGHTS, TOKENIZER = (
    "bundle.json",
    "model.onnx",
    "mixed.onnx",
    "bare.onnx",
    "weights.bin",
    "tokenizer.json",
)
REQUIRED = (MODEL, MIXED, BARE, WEIGHTS, TOKENIZER)
"""Files beside the manifest, some of which are opened only when they are needed."""
ADAPTERS, SUFFIX = "adapters", ".onnx_adapter"
Quantize = Literal["none", "int8", "uint8", "static-int8", "static-uint8", "int4", "float16"]
EmbeddingStorage = Literal["none", "int8", "int4", "float16"]
FamilyName = Literal["classification", "multiple_choice", "tagging", "qa"]


class BasePart(Part):
    """The frozen encoder."""

    id: str
    """Its name on the Hub."""
    sha256: str | None
    """Of the weights that the graph was made from."""
    model_type: str
    quantized_as: Literal["none", "int8", "nf4"]
    """The graph has the values that bitsandbytes' quantized weights stand for."""
    layers: Annotated[int, Field(gt=0)]
    hidden: Annotated[int, Field(gt=0)]
    pad_id: Annotated[int, Field(ge=0)]
    max_length: Annotated[int, Field(gt=0)]
    """Most tokens of a sequence."""


class EmbeddingPart(Part):
    """How `embed` makes a vector of a text."""

    layer: Annotated[int, Field(ge=0)]
    """Index into the hidden states; 0 is the embedding output."""
    pooling: Literal["mean", "cls"]
    prefix: str
    max_length: Annotated[int, Field(gt=0)]


class AdapterPart(Part):
    """A module with the head of one task."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")]
    own_graph: bool = False
    """Whether it has a graph of its own, as it cannot be an input of the base's."""
    language: str | None = None
    """The only one that it is for, where it has a language adapter."""
    task: str
    family: FamilyName
    texts: Literal[1, 2] | None = None
    """Of a classified example: one text or a pair; None in bundles that do not say, and for other families."""
    labels: list[str]
    no_answer: bool
    """Whether a question may have no answer."""
    max_length: Annotated[int, Field(gt=0)]
    package: str
    """The adapter package that it was made from, and its manifest's hash."""
    licence: str

    @property
    def outputs(self) -> int:
        """How many scores its head has."""
        return outputs_of(self.family, self.labels)

    @property
    def file(self) -> str:
        """Where its weights are."""
        return f"{ADAPTERS}/{self.name}{SUFFIX}"

    @property
    def graph(self) -> str:
        """Where its own graph is: beside the others, as weights must lie below a graph's folder."""
        return f"own.{self.name}.onnx"


class Manifest(Part):
    """All of `bundle.json`."""

    format: Literal[1]
    base: BasePart
    quantize: Quantize
    """How the weights of linear layers are stored."""
    embeddings: EmbeddingStorage
    preset: str
    embedding: EmbeddingPart
    adapters: list[AdapterPart]
    languages: dict[str, float] | None
    """Where the vocabulary was trimmed: the share of the pieces of each language's words that stayed."""
    parity: dict[str, Any]
    """What was compared with torch when the bundle was written, and how far apart it was."""
    versions: dict[str, str]

    @field_validator("adapters")
    @classmethod
    def _names_differ(cls, adapters: list[AdapterPart]) -> list[AdapterPart]:
        if len({part.name for part in adapters}) != len(adapters):
            raise ValueError("two adapters have the same name")
        return adapters


def outputs_of(family: str, labels: Sequence[str]) -> int:
    """How many scores a head for a task of a family has."""
    return {"qa": 2, "multiple_choice": 1}.get(family, len(labels))


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a bundle.

    Raises:
        BundleError: it is missing, malformed, or has unknown keys, or another file of every bundle is missing.
    """
    manifest = read_part(folder / MANIFEST, Manifest, BundleError, "bundle")
    if missing := [name for name in REQUIRED if not (folder / name).is_file()]:
        raise BundleError(f"{folder / missing[0]}: missing; get the bundle anew")
    return manifest
