"""From a finished run to adapter packages."""

from pathlib import Path
from typing import Any

from lowres_stilts.errors import PackageError
from lowres_stilts.hub.pack_adapters import pack_adapters
from lowres_stilts.hub.pack_lora import pack_lora
from lowres_stilts.pipeline.folder import RunFolder
from lowres_stilts.pipeline.names import BASELINE
from lowres_stilts.storage import write_folder


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
    return [_pack(run, results, summary) for summary in results["phases"] if summary["phase"] != BASELINE]


def _pack(run: RunFolder, results: dict[str, Any], summary: dict[str, Any]) -> Path:
    package = run.phase(summary["phase"]) / "package"
    if package.exists():
        return package
    pack = pack_lora if summary["kind"] == "lora" else pack_adapters
    return write_folder(package, lambda folder: pack(folder, run, results, summary))
