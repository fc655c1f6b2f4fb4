"""What a run was made with and what it cost."""

import importlib.metadata
import platform
import resource
import sys

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
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
