"""From a phase's adapter, what it stands on and its languages to one package in AdapterHub's format."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import adapters
from pydantic import ValidationError
from safetensors import safe_open

from lowres_stilts.errors import PackageError
from lowres_stilts.hub.adapterhub_config import BARE_CLASS, MODULE_CONFIGS, auto_class_of
from lowres_stilts.hub.adapterhub_files import (
    CONFIG,
    FUSION_CONFIG,
    FUSION_WEIGHTS,
    WEIGHTS,
    store_weights,
    write_adapterhub,
)
from lowres_stilts.hub.adapterhub_weights import prefix_of
from lowres_stilts.hub.composition import Composition, FusionModule, Module
from lowres_stilts.hub.describe import described, made_of
from lowres_stilts.hub.heads import trained_heads
from lowres_stilts.hub.write import write_package
from lowres_stilts.names import module_name
from lowres_stilts.pipeline.folder import RunFolder
from lowres_stilts.pipeline.names import LANGUAGE
from lowres_stilts.sums import sha256_of

IN_LAYER = re.compile(r"encoder\.layer\.(\d+)\.")


@dataclass(frozen=True)
class _Saved:
    """A module that a phase wrote."""

    name: str
    folder: Path

    @property
    def is_fusion(self) -> bool:
        return (self.folder / FUSION_CONFIG).exists()

    @property
    def weights(self) -> Path:
        return self.folder / (FUSION_WEIGHTS if self.is_fusion else WEIGHTS)

    @property
    def config(self) -> dict[str, Any]:
        path = self.folder / (FUSION_CONFIG if self.is_fusion else CONFIG)
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return config


def pack_adapters(folder: Path, run: RunFolder, results: dict[str, Any], summary: dict[str, Any]) -> None:
    """Fills an existing, empty folder with the package of a phase.

    Raises:
        PackageError: a module has a configuration or a name that packages do not know.
    """
    try:
        composition = _composition(folder, run, results, summary)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise PackageError(f"{run.path}: no package can hold this: {where}: {first['msg']}") from error
    draft = described(
        results,
        summary,
        composition=composition,
        auto_class=BARE_CLASS,
        stack=made_of(run, summary, WEIGHTS),
    )
    versions = {**draft.versions, "adapters": adapters.__version__}
    manifest = draft.model_copy(update={"auto_class": auto_class_of(draft), "versions": versions})
    heads = trained_heads(run.phase(summary["phase"]) / "module", list(summary["tasks"]))
    write_package(folder, manifest, lambda place: write_adapterhub(place, manifest, composition, heads))


def _composition(folder: Path, run: RunFolder, results: dict[str, Any], summary: dict[str, Any]) -> Composition:
    """What goes into the package; the weights are in their places afterwards."""
    top = _Saved(summary["phase"], run.phase(summary["phase"]) / "module")
    prefix = prefix_of(results["model"]["model_type"])
    return Composition(
        hidden_size=top.config["hidden_size"],
        layers=_count_layers(top),
        top=_stored(top, folder, prefix),
        below=[
            _stored_adapter(run, name, folder / "below" / name, prefix)
            for name in summary["below"]
            if not name.startswith(LANGUAGE)
        ],
        languages={
            code: _stored_adapter(run, f"{LANGUAGE}-{code}", folder / "languages" / code, prefix)
            for code in map(module_name, _languages(results, summary))
        },
        language=summary["phase"].removeprefix(f"{LANGUAGE}-") if summary["kind"] == "language" else None,
    )


def _languages(results: dict[str, Any], summary: dict[str, Any]) -> list[str]:
    """Those that the tests of a task may want below its module."""
    settings = results["recipe"]["languages"]
    return [] if settings is None or summary["kind"] == "language" else settings["adapters"]


def _stored(saved: _Saved, place: Path, prefix: str) -> Module | FusionModule:
    if not saved.is_fusion:
        return _adapter(saved, place, prefix)
    store_weights(saved.weights, place / FUSION_WEIGHTS, prefix)
    return FusionModule(name=saved.name, adapter="fusion", sha256=sha256_of(place / FUSION_WEIGHTS))


def _stored_adapter(run: RunFolder, name: str, place: Path, prefix: str) -> Module:
    return _adapter(_Saved(name, run.phase(name) / "module"), place, prefix)


def _adapter(saved: _Saved, place: Path, prefix: str) -> Module:
    store_weights(saved.weights, place / WEIGHTS, prefix)
    config = saved.config["config"]
    left_out = {"leave_out": config["leave_out"]} if config["leave_out"] else {}
    facts = {"reduction": config["reduction_factor"], "dropout": config["dropout"], **left_out}
    for adapter, kind in MODULE_CONFIGS.items():
        expected = kind(reduction_factor=facts["reduction"], dropout=facts["dropout"], **left_out).to_dict()
        if json.loads(json.dumps(expected)) == config:
            return Module(name=saved.name, adapter=adapter, sha256=sha256_of(place / WEIGHTS), **facts)
    raise PackageError(f"{saved.folder}: an adapter of a configuration that packages do not know")


def _count_layers(saved: _Saved) -> int:
    """Of the encoder: those that have the module, and those that it says it leaves out."""
    with safe_open(saved.weights, framework="pt") as file:
        numbers = [int(match[1]) for name in file.keys() if (match := IN_LAYER.search(name))]  # noqa: SIM118
    left_out: list[int] = [] if saved.is_fusion else saved.config["config"]["leave_out"] or []
    return 1 + max([*numbers, *left_out])
