"""Configuration files of plain libraries: written from the manifest, and found to be just that."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from lowres_stilts.errors import PackageError


def write_config(config: Mapping[str, Any], path: Path, *, in_order: bool = False) -> None:
    """Writes indented JSON, with its keys sorted unless they are in an order that matters."""
    path.write_text(json.dumps(config, indent=2, sort_keys=not in_order) + "\n", encoding="utf-8")


def check_config(path: Path, expected: Mapping[str, Any], *, ignored: Collection[str] = ()) -> None:
    """Whether a file holds the configuration that it would be written with.

    Raises:
        PackageError: it is not valid JSON, or a key is missing, unknown or has another value.
    """
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise PackageError(f"{path}: not valid JSON") from error
    if not isinstance(found, dict):
        raise PackageError(f"{path}: expected an object")
    wanted = json.loads(json.dumps(expected))
    for key in sorted((found.keys() | wanted.keys()) - set(ignored)):
        if key not in found or key not in wanted or found[key] != wanted[key]:
            raise PackageError(
                f"{path}: {key} is {found.get(key)!r}, but the manifest and the tensors want {wanted.get(key)!r}"
            )
