"""Manifests: JSON files with a strict model."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from lowres_stilts.errors import LowresStiltsError
from lowres_stilts.names import unreadable


class Part(BaseModel):
    """A part of a manifest: unknown keys are errors and values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


AnyPart = TypeVar("AnyPart", bound=Part)


def read_part(path: Path, model: type[AnyPart], error: type[LowresStiltsError], noun: str) -> AnyPart:
    """A manifest.

    Args:
        path: its file.
        model: its type.
        error: what to raise.
        noun: what the folder is that has it.

    Raises:
        LowresStiltsError: of that class: it is missing, malformed, or has unknown keys.
    """
    try:
        if path.exists() and not path.is_file():
            raise error(f"{path}: not a plain file")
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise error(f"{path.parent}: no {path.name}, so this is no {noun}") from None
    except OSError as problem:
        raise error(unreadable(path, problem)) from problem
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise error(f"{path}: {key}: {first['msg']}") from problem
