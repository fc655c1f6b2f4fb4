"""Smaller models out of a larger one: its embeddings and first layers, as a model of its own.

Nothing is trained or distilled. Such a model is weaker than one of its size that was trained so; what it is for is
comparing sizes where there is only one model.
"""

import json
import re
import shutil
from pathlib import Path

from lowres_stilts.encoder.starter import STARTER_ID
from lowres_stilts.errors import EncoderError
from lowres_stilts.storage import write_folder

PATTERN = re.compile(rf"{re.escape(STARTER_ID)}-([0-9]+)-layers?")


def layers_of(model_id: str) -> int | None:
    """How many layers `starter:multilingual-minilm-4-layers` has; None for other names."""
    match = PATTERN.fullmatch(model_id)
    return int(match[1]) if match else None


def first_layers(folder: Path, layers: int) -> Path:
    """A Hugging Face folder with the first layers of a BERT encoder, beside the whole one; made once.

    Raises:
        EncoderError: the model has not so many layers.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    whole = int(config["num_hidden_layers"])
    if not 1 <= layers <= whole:
        raise EncoderError(f"model.id: the starter has 1 to {whole} layers, not {layers}")
    path = folder.with_name(f"{folder.name}-{layers}-layers")
    if not path.exists():
        write_folder(path, lambda temporary: _write(folder, layers, config, temporary))
    return path


def _write(folder: Path, layers: int, config: dict[str, object], temporary: Path) -> None:
    from safetensors.numpy import load_file, save_file  # noqa: PLC0415 - only here

    for file in folder.iterdir():
        if file.name not in {"model.safetensors", "config.json", "SHA256SUMS"}:
            shutil.copy2(file, temporary / file.name)
    kept = {
        name: tensor for name, tensor in load_file(folder / "model.safetensors").items() if _below(name, layers)
    }
    save_file(kept, temporary / "model.safetensors", metadata={"format": "pt"})
    text = json.dumps({**config, "num_hidden_layers": layers}, indent=2) + "\n"
    (temporary / "config.json").write_text(text, encoding="utf-8")


def _below(name: str, layers: int) -> bool:
    found = re.match(r"encoder\.layer\.([0-9]+)\.", name)
    return found is None or int(found[1]) < layers
