"""What a folder in AdapterHub's format says of itself, before anything of it is loaded."""

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from adapters.utils import (
    ADAPTERFUSION_CONFIG_NAME,
    CONFIG_NAME,
    SAFE_ADAPTERFUSION_WEIGHTS_NAME,
    SAFE_WEIGHTS_NAME,
)
from safetensors import SafetensorError, safe_open
from transformers import PretrainedConfig

from lowres_stilts.errors import TrainingError

PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")


@dataclass(frozen=True)
class SavedAdapter:
    """A module in a folder."""

    size: int
    """How many numbers its weights are."""
    fused: tuple[str, ...]
    """What it fuses, by the names of the modules; none for an adapter."""


def read_saved(folder: Path, encoder: PretrainedConfig) -> SavedAdapter:
    """The module in a folder, checked as far as can be without loading it.

    Raises:
        TrainingError: it is no bottleneck adapter or fusion in safetensors for an encoder of this configuration.
    """
    try:
        return _read(folder, encoder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise TrainingError(f"{folder}: cannot be loaded: {' '.join(str(error).split())}") from error


def set_base(folder: Path, base_id: str) -> None:
    """Writes the Hub's name of the encoder into the configuration, where AdapterHub put a path."""
    for name in (CONFIG_NAME, ADAPTERFUSION_CONFIG_NAME):
        path = folder / name
        if path.exists():
            config = json.loads(path.read_text(encoding="utf-8")) | {"model_name": base_id}
            path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _read(folder: Path, encoder: PretrainedConfig) -> SavedAdapter:
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES)
    if pickles:
        raise ValueError(f"{pickles[0]} may run code when it is read; only safetensors are taken")
    fusion = (folder / ADAPTERFUSION_CONFIG_NAME).is_file()
    config_name = ADAPTERFUSION_CONFIG_NAME if fusion else CONFIG_NAME
    config = json.loads((folder / config_name).read_text(encoding="utf-8"))
    _check_config(config, encoder, fusion=fusion)
    fused = config.get("adapter_names", config["name"]) if fusion else []
    names = fused.split(",") if isinstance(fused, str) else [str(name) for name in fused]
    marker = f"{'adapter_fusion_layer' if fusion else 'adapters'}.{config['name']}."
    size = 0
    with safe_open(folder / (SAFE_ADAPTERFUSION_WEIGHTS_NAME if fusion else SAFE_WEIGHTS_NAME), "pt") as file:
        for key in file.keys():  # noqa: SIM118 - not a dictionary
            # AdapterHub would load any other weight into the encoder.
            if marker not in key:
                raise ValueError(f"it has a weight {key}, which is none of module {config['name']}")
            size += prod(file.get_slice(key).get_shape())
    return SavedAdapter(size, tuple(names))


def _check_config(config: dict[str, Any], encoder: PretrainedConfig, *, fusion: bool) -> None:
    for key in ("model_type", "hidden_size"):
        wanted = getattr(encoder, key)
        if config[key] != wanted:
            raise ValueError(f"it is for a {key} of {config[key]}, not {wanted}")
    own = config["config"]
    if not isinstance(own, dict):  # AdapterHub would look for the configuration of this name, on the network too
        raise TypeError("its configuration is not spelled out")
    if not fusion and (own.get("architecture") or own.get("phm_layer")):
        raise ValueError(f"it is no bottleneck adapter, but {own.get('architecture') or 'compacter'}")
