"""Packages that stand for the intermediate phase of a run: fetched, checked, pinned by hash."""

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from peft import LoraConfig
from safetensors.torch import load_file, save_file

from lowres_stilts.errors import PackageError, RecipeError, UsageError
from lowres_stilts.hub.adapterhub_files import CONFIG as ADAPTER_CONFIG
from lowres_stilts.hub.adapterhub_files import WEIGHTS as ADAPTER_WEIGHTS
from lowres_stilts.hub.adapterhub_weights import prefix_of
from lowres_stilts.hub.composition import Composition, Module
from lowres_stilts.hub.heads import HEAD
from lowres_stilts.hub.manifest import Manifest
from lowres_stilts.hub.peft_files import MAGNITUDE, PREFIX, WEIGHTS, has_chosen_layers, target_modules
from lowres_stilts.hub.pull import pull_package
from lowres_stilts.hub.remote import NAME, check_name, hub_errors, look_up
from lowres_stilts.hub.verify import Package, open_package
from lowres_stilts.names import slug
from lowres_stilts.pipeline.given import GivenModule
from lowres_stilts.pipeline.modes import MODES
from lowres_stilts.pipeline.names import TARGET
from lowres_stilts.recipe.module import ModuleSettings
from lowres_stilts.recipe.phases import PackageSettings, package_title
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.storage import cache_dir
from lowres_stilts.sums import SUMS, sha256_of

COMMIT = re.compile("[0-9a-f]{40}")
IN_LAYER = re.compile(r"encoder\.layer\.(\d+)\.")


def take_packages(recipe: Recipe, before: Path | None = None) -> tuple[Recipe, list[GivenModule]]:
    """Opens the packages that a recipe names in the place of intermediate tasks.

    Args:
        recipe: what names them.
        before: the folder of a run to go on with: of a repository, the commit that it wrote down is taken.

    Returns:
        The recipe with each package's commit and hash and what kind of module it has, and the packages in order;
        none, and the same recipe, where it names tasks.

    Raises:
        PackageError: a package cannot be fetched, is damaged, has another hash than the recipe says, or has no
            module that a target phase can begin with.
        RecipeError: the packages do not fit the recipe or each other.
    """
    first = recipe.intermediate
    if first is None or not first.package or recipe.target.transfer == "none":
        return recipe, []
    opened = [_opened(each) for each in _as_before(first.package, before)]
    modules = [module_settings(package, recipe.target.transfer) for _, package in opened]
    settings = _common(modules, recipe)
    if first.module not in (ModuleSettings(), settings):
        raise RecipeError("intermediate.module: a package says itself what its module is; remove it")
    pinned = recipe.changed(
        {
            "intermediate.package": [pin.model_dump() for pin, _ in opened],
            "intermediate.module": settings.model_dump(exclude_defaults=True),
        }
    )
    return pinned, [_given(pin, package, module) for (pin, package), module in zip(opened, modules, strict=True)]


def _as_before(packages: Sequence[PackageSettings], folder: Path | None) -> list[PackageSettings]:
    """With the commits that an interrupted run wrote down, where the recipe names no revision."""
    try:
        written = yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8")) if folder else {}
        known = {each["id"]: each["revision"] for each in written["intermediate"]["package"]}
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError):
        return list(packages)
    return [
        each if each.revision else each.model_copy(update={"revision": known.get(each.id)}) for each in packages
    ]


def _opened(settings: PackageSettings) -> tuple[PackageSettings, Package]:
    folder, commit = _fetched(settings)
    try:
        package = open_package(folder)
        found = sha256_of(folder / SUMS)
    except PackageError as error:
        raise PackageError(f"intermediate.package: {error}") from error
    if settings.sha256 not in (None, found):
        raise PackageError(
            f"intermediate.package: {settings.id} is another package than the recipe says: its {SUMS} has the "
            f"SHA-256 {found[:12]}, not {settings.sha256[:12]}; get that one, or remove sha256"
        )
    return settings.model_copy(update={"revision": commit, "sha256": found}), package


def _fetched(settings: PackageSettings) -> tuple[Path, str | None]:
    """The folder of a package, and the commit if it is from the Hub, where it stays in the cache."""
    folder = Path(settings.id)
    if folder.exists() or not NAME.fullmatch(settings.id):
        if settings.revision is not None:
            raise UsageError(f"intermediate.package: {settings.id} is a folder, which has no revision; remove it")
        return folder, None
    try:
        return _pulled(check_name(settings.id), settings.revision or "main")
    except PackageError as error:
        raise PackageError(f"intermediate.package: no folder {settings.id} here; on the Hub, {error}") from error


def _pulled(repo: str, revision: str) -> tuple[Path, str]:
    commit = revision
    if not COMMIT.fullmatch(revision) or not _cached(repo, revision).exists():
        with hub_errors(repo, revision):
            commit = look_up(repo, revision).commit
    folder = _cached(repo, commit)
    if not folder.exists():
        pull_package(repo, folder, commit)
    return folder, commit


def _cached(repo: str, commit: str) -> Path:
    return cache_dir() / "packages" / f"{slug(repo.replace('/', '-'), '._-')}-{commit}"


def module_settings(package: Package, mode: str) -> ModuleSettings:
    """The module of a package as a recipe describes it.

    Args:
        package: a checked package.
        mode: what is done with it. A LoRA that is trained on keeps the scaling of its training, and one that is
            frozen has 1, as in the package.

    Raises:
        PackageError: it is no single module of a kind that a target phase can begin with.
    """
    manifest = package.manifest
    if manifest.composition is not None:
        return _bottleneck_settings(package.folder, manifest, manifest.composition)
    rank = next(iter(package.layers.values())).a.shape[0]
    chosen = sorted({int(match[1]) for name in package.layers if (match := IN_LAYER.search(name))})
    return ModuleSettings(
        rank=rank,
        alpha=rank * (_scaling(manifest) if MODES[mode].continues else 1.0),
        targets=target_modules(list(package.layers)),
        dora=manifest.dora,
        layers=",".join(map(str, chosen)) if has_chosen_layers(manifest.recipe) else None,
    )


def _bottleneck_settings(folder: Path, manifest: Manifest, composition: Composition) -> ModuleSettings:
    top = composition.top
    if not isinstance(top, Module) or composition.below or composition.languages or manifest.kind == "language":
        what = "a language adapter" if manifest.kind == "language" else "several adapters together"
        raise PackageError(
            f"intermediate.package: {folder} holds {what}, and a target phase begins with one LoRA or one "
            "bottleneck adapter; take the package of a phase that stands on nothing"
        )
    kept = [layer for layer in range(composition.layers) if layer not in top.leave_out]
    return ModuleSettings.model_validate(
        {
            "kind": "bottleneck",
            "adapter": top.adapter,
            "reduction": top.reduction,
            "dropout": top.dropout,
            "layers": ",".join(map(str, kept)) if top.leave_out else None,
        }
    )


def _scaling(manifest: Manifest) -> float:
    """Of the training that made a LoRA; packages store it as 1."""
    recipe = manifest.recipe
    first, target = recipe.get("intermediate") or {}, recipe.get("target") or {}
    section = target if manifest.phase == TARGET and target.get("transfer") != "continue" else first
    module = section.get("module") or {}
    rank = module.get("rank") or 1
    return float((module.get("alpha") or rank) / (math.sqrt(rank) if module.get("rslora") else rank))


def _common(modules: Sequence[ModuleSettings], recipe: Recipe) -> ModuleSettings:
    """What a recipe says of several modules: the largest, which memory is planned for."""
    largest = max(modules, key=lambda module: module.rank)
    mode, method = recipe.target.transfer, recipe.target.merge.method
    if {module.kind for module in modules} != {largest.kind}:
        raise RecipeError(
            "intermediate.package: some are LoRAs and others bottleneck adapters; name those of one kind"
        )
    if mode == "merge" and method != "cat" and len({module.rank for module in modules}) > 1:
        ranks = ", ".join(str(module.rank) for module in modules)
        raise RecipeError(
            f"intermediate.package: target.merge.method {method} wants equal ranks, not {ranks}; use cat"
        )
    return largest


def _given(pin: PackageSettings, package: Package, settings: ModuleSettings) -> GivenModule:
    manifest = package.manifest
    base = manifest.base

    def write(phase: str, folder: Path) -> None:
        if manifest.composition is None:
            _write_lora(package, settings, folder)
        else:
            _write_bottleneck(package, manifest.composition.top.name, phase, folder)
        flat = {f"{task}.{name}": value for task, head in package.heads.items() for name, value in head.items()}
        save_file({name: value.contiguous() for name, value in flat.items()}, folder / HEAD)

    title = package_title(pin.id)
    at = f" at {pin.revision[:12]}" if pin.revision else ""
    return GivenModule(
        title=f"{title}{at}",
        base_id=base.id,
        base_sha256=base.sha256,
        model_type=base.model_type,
        quantize=base.quantize,
        embeddings=base.embeddings,
        summary=_summary(manifest, {**pin.model_dump(), "id": title, "name": manifest.name}),
        write=write,
    )


def _summary(manifest: Manifest, origin: dict[str, Any]) -> dict[str, Any]:
    """As of a phase that cost nothing here."""
    scores = [task.dev_score for task in manifest.tasks if task.dev_score is not None]
    return {
        "tasks": {
            task.name: {
                "family": task.family,
                "labels": task.labels,
                "languages": task.languages or {"en": task.examples},
                "examples": task.examples,
                "licence": task.licence,
                "dev_score": task.dev_score,
            }
            for task in manifest.tasks
        },
        "data_sha256": manifest.data_sha256,
        "kind": manifest.kind,
        "head": manifest.head,
        "below": [],
        "package": origin,
        "before": [source.model_dump() for source in manifest.before or ()],
        "updates": 0,
        "best_update": 0,
        "dev_score": sum(scores) / len(scores) if scores else None,
        "seconds": 0,
        "tokens_per_second": 0,
        "trainable_parameters": 0,
        "head_parameters": 0,
    }


def _write_lora(package: Package, settings: ModuleSettings, folder: Path) -> None:
    """In the form in which a phase leaves its LoRA: over the bare encoder."""
    scaling = settings.alpha / settings.rank
    tensors = {}
    for path, layer in package.layers.items():
        tensors[f"{PREFIX}{path}.lora_A.weight"] = layer.a
        tensors[f"{PREFIX}{path}.lora_B.weight"] = layer.b if scaling == 1 else layer.b.float() / scaling
        if layer.magnitude is not None:
            tensors[f"{PREFIX}{path}.{MAGNITUDE}"] = layer.magnitude
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / WEIGHTS)
    LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        target_modules=list(package.layers),
        use_dora=settings.dora,
        base_model_name_or_path=package.manifest.base.id,
        inference_mode=True,
    ).save_pretrained(folder)


def _write_bottleneck(package: Package, name: str, phase: str, folder: Path) -> None:
    """Under the name of the phase that it stands for, over the bare encoder."""
    prefix = prefix_of(package.manifest.base.model_type)
    tensors = {
        key.removeprefix(prefix).replace(f".adapters.{name}.", f".adapters.{phase}."): value
        for key, value in load_file(package.folder / ADAPTER_WEIGHTS).items()
    }
    save_file(tensors, folder / ADAPTER_WEIGHTS)
    config = json.loads((package.folder / ADAPTER_CONFIG).read_text(encoding="utf-8")) | {"name": phase}
    (folder / ADAPTER_CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
