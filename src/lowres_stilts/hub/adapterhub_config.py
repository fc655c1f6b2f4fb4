"""AdapterHub's configuration files of a package: the same for the same manifest."""

from types import MappingProxyType
from typing import Any

import adapters

from lowres_stilts.hub.composition import Composition, FusionModule, Module
from lowres_stilts.hub.manifest import Manifest, TaskPart
from lowres_stilts.modules.bottleneck import CONFIGS
from lowres_stilts.modules.heads import DROPOUT

MODULE_CONFIGS = MappingProxyType({**CONFIGS, "seq_bn_inv": adapters.SeqBnInvConfig})
MODEL_CLASSES = MappingProxyType({"xlm-roberta": "XLMRobertaAdapterModel", "bert": "BertAdapterModel"})
"""AdapterHub's, by model type; it has none for XLM-R XL, and so no heads."""
PLAIN_CLASSES = MappingProxyType({"xlm-roberta-xl": "XLMRobertaXLModel"})
AUTO_CLASS, BARE_CLASS = "AutoAdapterModel", "AutoModel"
HEAD_TYPES = MappingProxyType(
    {
        "classification": "classification",
        "multiple_choice": "multiple_choice",
        "tagging": "tagging",
        "qa": "question_answering",
    }
)


def auto_class_of(manifest: Manifest) -> str:
    """The class that loads a package whole, or all of it but its head.

    AdapterHub has an equal head for one task, on the first token or on each of them.
    """
    if manifest.kind == "language" or len(manifest.tasks) > 1 or manifest.base.model_type not in MODEL_CLASSES:
        return BARE_CLASS
    (task,) = manifest.tasks
    has_head = task.family in {"tagging", "qa"} or (task.family in HEAD_TYPES and manifest.head == "library")
    return AUTO_CLASS if has_head else BARE_CLASS


def module_config(manifest: Manifest, composition: Composition, module: Module | FusionModule) -> dict[str, Any]:
    """AdapterHub's configuration of a module; it is spelled out, so that AdapterHub looks nothing up."""
    if isinstance(module, FusionModule):
        config = adapters.AdapterFusionConfig.load("dynamic").to_dict()
        fused = [part.name for part in composition.below]
        return {**_whole(manifest, composition, module.name, config), "adapter_names": fused}
    kind = MODULE_CONFIGS[module.adapter]
    config = kind(
        reduction_factor=module.reduction, dropout=module.dropout, leave_out=list(module.leave_out)
    ).to_dict()
    return _whole(manifest, composition, module.name, config)


def head_config(manifest: Manifest, composition: Composition) -> dict[str, Any]:
    """`head_config.json`, for a head that has the name of its module."""
    (task,) = manifest.tasks
    config: dict[str, Any] = {
        "head_type": HEAD_TYPES[task.family],
        "layers": 1,
        "activation_function": "tanh",
        "label2id": _label_ids(task),
        "dropout_prob": DROPOUT,
    }
    if task.family in {"classification", "multiple_choice"}:
        config |= {"layers": 2, "use_pooler": False}
    if task.family == "classification":
        config["bias"] = True
    # Examples may have any number of choices, so each choice is scored by itself.
    config["num_choices" if task.family == "multiple_choice" else "num_labels"] = len(config["label2id"])
    return _whole(manifest, composition, composition.top.name, config)


def _label_ids(task: TaskPart) -> dict[str, int]:
    unnamed = {"qa": ["LABEL_0", "LABEL_1"], "multiple_choice": ["LABEL_0"]}
    return {label: number for number, label in enumerate(unnamed.get(task.family, task.labels))}


def _whole(manifest: Manifest, composition: Composition, name: str, config: dict[str, Any]) -> dict[str, Any]:
    base = manifest.base
    return {
        "config": config,
        "hidden_size": composition.hidden_size,
        "model_class": (MODEL_CLASSES | PLAIN_CLASSES)[base.model_type],
        "model_name": base.id,
        "model_type": base.model_type,
        "name": name,
        "version": f"adapters.{manifest.versions.get('adapters')}",
    }
