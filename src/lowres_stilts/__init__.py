"""English intermediate-task training for low-resource languages on one consumer GPU.

`Recipe`, `run` and `Run` train and need the extra `train`; `Bundle` answers from an exported bundle with the core
alone. Names are imported when they are first used, so that this import is fast and needs no torch.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lowres_stilts.api import Run, Score, run
    from lowres_stilts.errors import LowresStiltsError
    from lowres_stilts.recipe import Recipe
    from lowres_stilts.runtime import Bundle

__version__ = "0.1.0"
__all__ = ["Bundle", "LowresStiltsError", "Recipe", "Run", "Score", "__version__", "run"]

# onnxruntime sends telemetry from its first import on, where nobody says otherwise.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_PLACES = {
    "Bundle": "lowres_stilts.runtime",
    "LowresStiltsError": "lowres_stilts.errors",
    "Recipe": "lowres_stilts.recipe",
    "Run": "lowres_stilts.api",
    "Score": "lowres_stilts.api",
    "run": "lowres_stilts.api",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
