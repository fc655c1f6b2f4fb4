"""The state of a phase in one safetensors file, replaced in one step."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from lowres_stilts.errors import RunError
from lowres_stilts.storage import write_file
from lowres_stilts.training.optimizer import MasterAdamW


@dataclass
class Progress:
    """Where training stands; with the weights, all that a resumed phase needs."""

    update: int = 0
    """Updates done."""
    best_score: float | None = None
    """On the dev set, in points."""
    best_update: int = 0
    looks: int = 0
    """Looks at the dev set since the best one."""
    seconds: float = 0.0
    tokens: int = 0
    """Tokens trained on, without padding."""
    tokens_at_once: int | None = None
    """What memory was found to hold."""
    threads: int | None = None
    """That were found to be fastest."""
    best_weights: dict[str, Tensor] = field(default_factory=dict)


def save_checkpoint(path: Path, progress: Progress, optimizer: MasterAdamW) -> None:
    """Writes the whole state atomically.

    Raises:
        RunError: the disk is full or the folder unwritable; the former checkpoint is intact.
    """
    numbers = {key: value for key, value in asdict(progress).items() if key != "best_weights"}
    tensors = {
        **{f"weights/{name}": value for name, value in optimizer.weights().items()},
        **{f"moments/{name}": value for name, value in optimizer.moments().items()},
        **{f"best/{name}": value for name, value in progress.best_weights.items()},
        "random": torch.get_rng_state(),
        **({"random_cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {}),
    }
    flat = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    metadata = {"progress": json.dumps(numbers)}
    content = save(flat, metadata=metadata)
    write_file(path, lambda temporary: temporary.write_bytes(content))


def load_checkpoint(path: Path, optimizer: MasterAdamW) -> Progress:
    """Takes up the state that `save_checkpoint` wrote, random numbers included.

    Raises:
        RunError: the file is damaged or belongs to another module.
    """
    try:
        with safe_open(path, framework="pt") as file:
            numbers: dict[str, Any] = json.loads(file.metadata()["progress"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no iterator
        optimizer.set_weights(_below("weights/", tensors))
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise RunError(
            f"{path}: damaged, or of another recipe ({' '.join(str(error).split())}); remove it to train this "
            "phase from its start"
        ) from error
    optimizer.set_moments(_below("moments/", tensors))
    torch.set_rng_state(tensors["random"])
    if "random_cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random_cuda"])
    return Progress(**numbers, best_weights=_below("best/", tensors))


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
