"""`stilts.json`: what a package is, and what it was made of."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lowres_stilts.errors import PackageError

MANIFEST = "stilts.json"
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Part(BaseModel):
    """A part of the manifest: unknown keys are errors and values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


class Base(Part):
    """The frozen encoder."""

    id: str
    """Its name on the Hub."""
    sha256: Sha256 | None
    """Of the weights that were really used."""
    model_type: Literal["xlm-roberta", "xlm-roberta-xl", "bert"]
    quantize: Literal["none", "int8", "nf4"]
    embeddings: Literal["none", "int8"]
    compute: Literal["float32", "bf16"]


class TaskPart(Part):
    """A task that the package has a head for."""

    name: str
    family: str
    labels: list[str]
    metric: str
    max_length: Annotated[int, Field(gt=0)]
    licence: str
    examples: int
    """Training examples."""
    dev_score: float | None


class Below(Part):
    """A module that this one was stacked on, and that is part of its weights."""

    phase: str
    sha256: Sha256
    """Of the weights that its phase wrote."""


class Manifest(Part):
    """All of `stilts.json`."""

    format: Literal[1]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    kind: Literal["lora"]
    phase: str
    rank: Annotated[int, Field(gt=0)]
    dora: bool = False
    base: Base
    head: Literal["library", "mean"]
    auto_class: str
    """The transformers class that loads it whole; AutoModel where the head lies in head.safetensors."""
    tasks: Annotated[list[TaskPart], Field(min_length=1)]
    stack: list[Below]
    """From the bottom up."""
    data_sha256: Sha256
    """Of the training examples in their order."""
    scores: dict[str, Any]
    """As in results.json: by task and language."""
    baseline: dict[str, Any]
    evaluation: dict[str, Any]
    recipe: dict[str, Any]
    versions: dict[str, str]


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a package.

    Raises:
        PackageError: it is missing, malformed, or has unknown keys.
    """
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise PackageError(f"{folder}: no {MANIFEST}, so this is no adapter package") from None
    except OSError as error:
        raise PackageError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise PackageError(f"{path}: {key}: {first['msg']}") from error


def dump_manifest(manifest: Manifest) -> str:
    """Indented JSON."""
    return (
        json.dumps(
            manifest.model_dump(mode="json", exclude_unset=True), indent=2, ensure_ascii=False, allow_nan=False
        )
        + "\n"
    )
