"""What a run was made with and what it cost."""

import importlib.metadata
import platform
import sys

import psutil
import torch

from lowres_stilts import __version__

PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "tokenizers", "numpy")


def versions() -> dict[str, str]:
    """Versions of Python, this project and what decides the numbers."""
    return {
        "python": platform.python_version(),
        "lowres-stilts": __version__,
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }


def peak_memory_bytes(device: torch.device) -> int:
    """Most memory in use so far: of the GPU where there is one, else of the process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource  # noqa: PLC0415 - Windows has none

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
