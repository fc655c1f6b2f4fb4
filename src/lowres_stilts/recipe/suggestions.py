"""What was probably meant by a key that there is not."""

import difflib
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any, get_args, get_origin

from pydantic import BaseModel

Key = tuple[int | str, ...]
NAME = "NAME"
"""Stands for a name of the user's own."""
ELSEWHERE = MappingProxyType(
    {
        "learning_rate": "lr",
        "num_train_epochs": "epochs",
        "num_epochs": "epochs",
        "batch_size": "tokens_per_batch",
        "train_batch_size": "tokens_per_batch",
        "per_device_train_batch_size": "tokens_per_batch",
        "per_device_eval_batch_size": "tokens_per_batch",
        "gradient_accumulation_steps": "accumulate",
        "warmup_ratio": "warmup",
        "warmup_steps": "warmup",
        "max_grad_norm": "clip_norm",
        "max_seq_length": "max_length",
        "max_seq_len": "max_length",
        "eval_steps": "evaluate_every",
        "save_steps": "checkpoint_every",
        "early_stopping_patience": "patience",
        "max_train_samples": "limit",
        "max_eval_samples": "dev_limit",
        "max_predict_samples": "limit",
        "optim": "optimizer",
        "r": "rank",
        "lora_r": "rank",
        "lora_rank": "rank",
        "lora_alpha": "alpha",
        "lora_dropout": "dropout",
        "target_modules": "targets",
        "lora_target_modules": "targets",
        "use_rslora": "rslora",
        "use_dora": "dora",
        "init_lora_weights": "init",
        "layers_to_transform": "layers",
        "reduction_factor": "reduction",
        "peft_type": "kind",
        "model_name_or_path": "model.id",
        "model_name": "model.id",
        "model_revision": "model.revision",
        "load_in_4bit": "model.quantize",
        "load_in_8bit": "model.quantize",
        "torch_dtype": "model.compute",
        "dtype": "model.compute",
        "bf16": "model.compute",
        "num_labels": "labels",
        "label_list": "labels",
        "id2label": "labels",
        "dataset_name": "data.source",
        "data_dir": "data.dir",
        "train_file": "data.files",
        "validation_file": "data.files",
        "test_file": "data.files",
        "task_name": "target.task",
        "run_name": "name",
        "random_seed": "seed",
    }
)
"""What Hugging Face's Trainer, its example scripts and PEFT call our keys; with a dot, the whole key."""
MEANING = MappingProxyType(
    {
        "tokens_per_batch": "counted in tokens, not in examples",
        "warmup": "a share of the updates, such as 0.1",
        "labels": "their names in a list, under the task",
        "model.quantize": "nf4, int8 or none",
        "model.compute": "bf16 or float32",
        "data.files": "paths by task and split",
    }
)
"""Where more than the name differs."""


def suggestion(root: type[BaseModel], key: Key) -> str:
    """Names the key that was probably meant, or those that there are.

    Args:
        root: the settings that were read.
        key: the unknown one, with all above it.
    """
    name, above = str(key[-1]), key[:-1]
    names = list(_model_of(root, above).model_fields)
    known = ELSEWHERE.get(name, name)
    if known in names:
        return _meant(name, known)
    parts = tuple(known.split("."))
    places = [path for path in _paths(root) if path[-len(parts) :] == parts]
    places.sort(key=lambda path: path[0] != "target")
    inside = [path for path in places if _shared(path, above) == len(above)]
    close = difflib.get_close_matches(name, names, n=1)
    if close and not inside:
        return _meant(name, close[0])
    if places:
        nearest = max(inside or places, key=lambda path: _shared(path, above))
        return _meant(name, ".".join(nearest))
    return f"; the keys here are {', '.join(names)}"


def _meant(name: str, key: str) -> str:
    meaning = MEANING.get(key, MEANING.get(key.rpartition(".")[2])) if name in ELSEWHERE else None
    return f"; did you mean {key!r}?" if meaning is None else f"; did you mean {key!r}, {meaning}?"


def _shared(path: tuple[str, ...], above: Key) -> int:
    """How many sections two keys have in common."""
    pairs = enumerate(zip(path, above, strict=False))
    return next((n for n, (ours, theirs) in pairs if ours not in {theirs, NAME}), min(len(path), len(above)))


def _paths(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """All keys of some settings and of those within them."""
    for name, field in model.model_fields.items():
        here = (*above, name)
        yield here
        for inner in _models(field.annotation):
            yield from _paths(inner, (*here, NAME) if get_origin(field.annotation) is dict else here)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Settings in an annotation, be they optional or values of a dictionary."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _model_of(model: type[BaseModel], above: Key) -> type[BaseModel]:
    for part in above:
        field = model.model_fields.get(str(part))
        if field is not None:  # else a name of the user's own, in a dictionary
            model = next(_models(field.annotation), model)
    return model
