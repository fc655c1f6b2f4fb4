"""An adapter in a folder of its own, to be loaded into a bundle that is already open.

The folder holds `adapter.json`, `<name>.onnx_adapter` and `SHA256SUMS`.
"""

from pathlib import Path
from typing import Any, Literal

from lowres_stilts.errors import BundleError
from lowres_stilts.names import require_folder
from lowres_stilts.parts import Part, read_part
from lowres_stilts.runtime.manifest import SUFFIX, AdapterPart, BasePart
from lowres_stilts.runtime.sums import verify_sums

DESCRIPTION = "adapter.json"


class AdapterFolder(Part):
    """All of `adapter.json`."""

    format: Literal[1]
    base: BasePart
    """That of the bundle for which it was made."""
    adapter: AdapterPart
    parity: dict[str, Any]
    """What was compared with torch when it was written."""


def read_adapter_folder(folder: Path, base: BasePart) -> tuple[Path, AdapterPart]:
    """The adapter's file, and what is said of it.

    Args:
        folder: where it lies.
        base: of the bundle that is to have it.

    Raises:
        BundleError: it is damaged or unsafe, or for another base.
    """
    require_folder(folder, BundleError)
    verify_sums(folder)
    found = read_part(folder / DESCRIPTION, AdapterFolder, BundleError, "adapter's folder")
    if (found.base.id, found.base.sha256) != (base.id, base.sha256):
        raise BundleError(
            f"{folder}: made for {_short(found.base)}, but the bundle's base is {_short(base)}; export it for "
            "this one"
        )
    file = folder / f"{found.adapter.name}{SUFFIX}"
    if found.adapter.own_graph or not file.is_file():
        raise BundleError(f"{file}: missing; get the adapter anew")
    return file, found.adapter


def _short(base: BasePart) -> str:
    return f"{base.id} ({(base.sha256 or 'no hash')[:12]})"
