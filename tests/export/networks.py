"""Tiny encoders as graphs with random adapters, and what torch makes of the same weights."""

import copy
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lowres_stilts.encoder.load import Encoder, load_encoder
from lowres_stilts.export.adapters import write_adapter
from lowres_stilts.export.heads import head_inputs
from lowres_stilts.export.int8 import Range
from lowres_stilts.export.model import FORMS, base_model
from lowres_stilts.export.presets import EXACT, Storage, products_of
from lowres_stilts.export.reference import shape_of, weights_of
from lowres_stilts.export.write import write_models
from lowres_stilts.runtime.adapters import Adapter, load_adapter
from lowres_stilts.runtime.batches import padded
from lowres_stilts.runtime.manifest import WEIGHTS, AdapterPart, BasePart
from lowres_stilts.runtime.network import Network
from lowres_stilts.runtime.session import CPU

LAYERS = (0, 1, 2)
"""Of the tiny encoders: the embedding output and both layers."""


def float32(folder: Path) -> Encoder:
    """An encoder with nothing quantized."""
    return load_encoder(str(folder), quantize="none", embeddings="none", compute="float32", device="cpu")


def network_of(
    encoder: Encoder, folder: Path, storage: Storage = EXACT, ranges: Mapping[str, Range] | None = None
) -> Network:
    """Both forms of the graph, written to an existing folder and opened."""
    shape, weights = shape_of(encoder), weights_of(encoder.model)
    models = {
        file: base_model(shape, weights, products_of(storage, ranges or {}), form, LAYERS)
        for file, form in FORMS.items()
    }
    write_models(folder, models.items(), WEIGHTS)
    base = BasePart(
        id="tiny", sha256=None, model_type=shape.model_type, quantized_as="none", layers=shape.layers,
        hidden=shape.hidden, pad_id=shape.pad_id, max_length=70,
    )  # fmt: skip
    return Network(folder, base, threads=1, providers=CPU)


def random_lora(rng: np.random.Generator, model: nn.Module, rank: int, skip: str = "-") -> dict[str, np.ndarray]:
    """A LoRA on the encoder's linear layers, but on none whose name has `skip` in it."""
    found = {}
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear) and skip not in name:
            found[f"{name}.lora_A"] = _half(rng.normal(size=(layer.in_features, rank)) * 0.1)
            found[f"{name}.lora_B"] = _half(rng.normal(size=(rank, layer.out_features)) * 0.1)
    return found


def random_head(rng: np.random.Generator, hidden: int, outputs: int, layout: str) -> dict[str, np.ndarray]:
    """A head by our names; `layout` is library, mean or token."""
    head = {
        "projection.weight": _half(rng.normal(size=(outputs, hidden)) * 0.2),
        "projection.bias": _half(rng.normal(size=outputs)),
    }
    if layout == "library":
        head["dense.weight"] = _half(rng.normal(size=(hidden, hidden)) * 0.2)
        head["dense.bias"] = _half(rng.normal(size=hidden))
    return head


def adapter_of(
    lora: dict[str, np.ndarray], head: dict[str, np.ndarray], layout: str, path: Path, network: Network
) -> Adapter:
    """Writes it in onnxruntime's format and loads it."""
    kind = "token" if layout == "token" else "sequence"
    write_adapter(path, lora | head_inputs(head, kind=kind, mean=layout == "mean"))
    labels = [f"label {number}" for number in range(len(head["projection.bias"]))]
    return load_adapter(path, part_of(path.stem, kind, labels), network.inputs)


def part_of(name: str, kind: str, labels: list[str]) -> AdapterPart:
    return AdapterPart(
        name=name, task="any", family="tagging" if kind == "token" else "classification", labels=labels,
        no_answer=False, max_length=32, package="", licence="",
    )  # fmt: skip


def torch_states(encoder: Encoder, sequences: list[list[int]], lora: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Hidden states `[layers + 1, length, hidden]` of each sequence, with a LoRA in the weights."""
    model = copy.deepcopy(encoder.model)
    for name, layer in model.named_modules():
        if f"{name}.lora_A" in lora:
            update = lora[f"{name}.lora_A"].astype(np.float64) @ lora[f"{name}.lora_B"].astype(np.float64)
            layer.weight.data += torch.from_numpy(update.T.astype(np.float32))
    ids, mask = (torch.from_numpy(array) for array in padded(sequences, encoder.pad_id))
    with torch.no_grad():
        states = model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
    table = torch.stack(states, dim=1).numpy()
    return [own[:, : len(row)] for own, row in zip(table, sequences, strict=True)]


def torch_scores(states: np.ndarray, head: dict[str, np.ndarray], layout: str) -> np.ndarray:
    """Scores from the last layer's states `[length, hidden]`, written out plainly."""
    pooled = {"token": states, "mean": states.mean(axis=0), "library": states[0]}[layout]
    if layout == "library":
        pooled = np.tanh(pooled @ head["dense.weight"].T + head["dense.bias"])
    return pooled @ head["projection.weight"].T + head["projection.bias"]


def _half(values: np.ndarray) -> np.ndarray:
    """Values that float16 holds exactly, as adapters store them."""
    return values.astype(np.float16).astype(np.float32)
