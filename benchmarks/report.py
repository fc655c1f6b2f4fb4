"""What the benchmarks share: machine, versions, the data folder, and how figures are shown and written."""

import importlib.metadata
import importlib.util
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from lowres_stilts.storage import write_json

MB = 10**6
LISTED = ("amx_bf16", "amx_int8", "avx512_bf16", "avx512_vnni", "avx2")
"""Instructions that decide how fast matrix products are on a CPU."""
PACKAGES = (
    "lowres-stilts",
    "torch",
    "transformers",
    "peft",
    "bitsandbytes",
    "accelerate",
    "datasets",
    "tokenizers",
    "onnxruntime",
    "numpy",
)


@dataclass(frozen=True)
class Result:
    """One figure."""

    name: str
    value: float
    unit: str
    n: int
    """Measurements behind the median."""


def machine() -> dict[str, Any]:
    """CPU, cores that this process may use, memory, and the GPU or `none`.

    Call it last: it imports torch where there is one.
    """
    cpu, flags = _cpu()
    return {
        "cpu": cpu,
        "instructions": [name for name in LISTED if name in flags],
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 10**9, 1),
        "gpu": _gpu(),
        "system": platform.platform(),
    }


def versions() -> dict[str, str]:
    """Versions of Python and of those packages that are installed."""
    installed = {item.metadata["Name"].lower(): item.version for item in importlib.metadata.distributions()}
    return {
        "python": platform.python_version(),
        **{name: installed[name] for name in PACKAGES if name in installed},
    }


def data_dir() -> Path:
    """The benchmark data: `LOWRES_STILTS_DATA`, else `../shared/data` beside the clone."""
    explicit = os.environ.get("LOWRES_STILTS_DATA")
    return Path(explicit) if explicit else Path(__file__).resolve().parents[2] / "shared" / "data"


def print_results(title: str, results: Sequence[Result]) -> None:
    """A table on standard output."""
    width = max(len(result.name) for result in results)
    print(f"\n{title}")
    for result in results:
        print(f"  {result.name:<{width}}  {result.value:>12,.2f}  {result.unit}  (n={result.n})")


def write_report(
    path: Path, results: Sequence[Result], *, setup: Mapping[str, Any], raw: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Writes machine, versions, setup, results and the single measurements as JSON."""
    write_json(
        path,
        {
            "machine": machine(),
            "versions": versions(),
            "setup": dict(setup),
            "results": [asdict(result) for result in results],
            "raw": list(raw),
        },
    )


def _cpu() -> tuple[str, frozenset[str]]:
    """Model and instruction flags, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine(), frozenset()
    lines = (line.partition(":") for line in info.read_text(encoding="utf-8").splitlines())
    fields = {key.strip(): value.strip() for key, _, value in lines}
    return fields.get("model name", platform.machine()), frozenset(fields.get("flags", "").split())


def _gpu() -> str:
    if importlib.util.find_spec("torch") is None:
        return "none"
    import torch  # noqa: PLC0415 - heavy, and not everywhere

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
