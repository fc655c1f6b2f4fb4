"""Which extra installs a library, for the message where it is missing."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from lowres_stilts.errors import MissingExtraError

LIBRARIES = {
    "train": (
        "accelerate", "adapters", "bitsandbytes", "datasets", "faiss", "huggingface_hub",
        "matplotlib", "peft", "psutil", "safetensors", "scipy", "seqeval", "torch", "transformers",
    ),
    "export": ("onnx", "optimum", "wordfreq"),
    "serve": ("fastapi", "httptools", "opentelemetry", "orjson", "prometheus_client", "uvicorn"),
    "study": ("duckdb", "ray", "urielplus"),
    "starter": ("sentencepiece",),
}  # fmt: skip
"""Modules by extra, each under the smallest that has it."""


def install_command(extra: str) -> str:
    """What installs an extra here: in a clone, the clone with it."""
    root = Path(__file__).parents[2]
    if not (root / "pyproject.toml").is_file():
        return f"pip install 'lowres-stilts[{extra}]'"
    return f"pip install -e '{'.' if root == Path.cwd() else root}[{extra}]'"


@contextlib.contextmanager
def naming_extras() -> Iterator[None]:
    """Says what to install where a library of an extra is missing.

    Raises:
        MissingExtraError: one is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        extra = next((name for name, modules in LIBRARIES.items() if library in modules), None)
        if extra is None:
            raise
        raise MissingExtraError(f"{library} is not installed: {install_command(extra)} brings it") from error
