"""From a finished run to adapter packages."""

from pathlib import Path
from types import MappingProxyType
from typing import Any

from lowres_stilts.errors import PackageError
from lowres_stilts.hub.example import add_example
from lowres_stilts.hub.pack_adapters import pack_adapters
from lowres_stilts.hub.pack_lora import pack_lora
from lowres_stilts.pipeline.folder import RunFolder
from lowres_stilts.pipeline.names import BASELINE
from lowres_stilts.storage import write_folder

PACK = MappingProxyType({"lora": pack_lora, "bottleneck": pack_adapters, "language": pack_adapters})
"""By kind; modules of plug-ins' kinds stay in their run, as no other library could load them."""


def pack_run(folder: Path) -> list[Path]:
    """Writes the packages of a finished run into `phases/<phase>/package`, those that are not there yet.

    Raises:
        PackageError: the run is not finished.
        RunError: something cannot be written.
    """
    run = RunFolder(folder)
    results = run.results()
    if results is None:
        raise PackageError(f"{run.path}: the run is not finished; go on with `run --resume`")
    # A package that the run began with is one already.
    phases = [
        summary for summary in results["phases"] if summary["phase"] != BASELINE and "package" not in summary
    ]
    return [_pack(run, results, summary) for summary in phases if summary["kind"] in PACK]


def packages_of(folder: Path) -> list[Path]:
    """The packages of a finished run in the order of its phases, written where they are not there yet.

    Raises:
        PackageError: the run is not finished, or has no module that could be packed.
        RunError: something cannot be written.
    """
    if packages := pack_run(folder):
        return packages
    raise PackageError(f"{folder}: this run trained no module that a package could hold")


def _pack(run: RunFolder, results: dict[str, Any], summary: dict[str, Any]) -> Path:
    package = run.phase(summary["phase"]) / "package"
    if package.exists():
        return package

    def fill(folder: Path) -> None:
        PACK[summary["kind"]](folder, run, results, summary)
        add_example(folder)

    return write_folder(package, fill)
