"""What a worker does: one step, from the recipe to files in the study folder."""

import copy
import gc
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lowres_stilts.display import Display
from lowres_stilts.errors import LowresStiltsError
from lowres_stilts.pipeline.hyperparameters import settled, settled_by
from lowres_stilts.pipeline.material import Material, first_phase_sets
from lowres_stilts.pipeline.names import SYSTEM_FOLDER, TARGET
from lowres_stilts.recipe.model import ModelSettings
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.storage import locked, storage_errors, using_cache, write_folder
from lowres_stilts.study.folder import StudyFolder
from lowres_stilts.study.samples import samples_of

if TYPE_CHECKING:
    from lowres_stilts.encoder.load import Encoder
    from lowres_stilts.evaluation.transfer import Arm

ARM, COUNTS, SAMPLES = "arm.json", "counts.npz", "samples.json"
PREFIX = "of "
"""Of the names of tables; a language might be called like an argument of numpy's."""


@dataclass(frozen=True)
class Order:
    """A step for a worker, which may be another process or another machine with the same disk."""

    study: str
    """The study folder."""
    key: str
    recipe: str
    """As JSON."""
    phase: str | None
    phases: Mapping[str, str]
    threads: int | None
    """Of torch; its own choice where it is None."""


@dataclass(frozen=True)
class Outcome:
    """How a step ended."""

    key: str
    error: str | None = None
    """What went wrong, in one line."""


@using_cache()
def perform(order: Order) -> Outcome:
    """Does a step; what goes wrong is told in the outcome."""
    try:
        folder = StudyFolder(Path(order.study))
        recipe = Recipe.model_validate_json(order.recipe)
        with storage_errors(folder.path):
            _perform(order, folder, recipe)
    except LowresStiltsError as error:
        return Outcome(order.key, " ".join(str(error).split()))
    except Exception as error:  # one cell must not end a study
        return Outcome(order.key, f"{type(error).__name__}: {' '.join(str(error).split())}"[:500])
    finally:
        _forget_models()
    return Outcome(order.key)


def _forget_models() -> None:
    """A step's model refers to itself, and they would add up until Python looks for cycles."""
    from lowres_stilts.encoder.device import release_freed_memory  # noqa: PLC0415

    gc.collect()
    release_freed_memory()


def _perform(order: Order, folder: StudyFolder, recipe: Recipe) -> None:
    import torch  # noqa: PLC0415 - seconds

    if order.threads is not None:
        torch.set_num_threads(order.threads)
    folder.log("step started", key=order.key, pid=os.getpid())
    if order.phase is not None:
        with locked(folder.phase(order.key), wait=True):
            _train(order, order.phase, folder, recipe)
    else:
        last = order.phases.get(TARGET)
        # Two arms may be tests of one phase.
        with locked(folder.arm(order.key) if last is None else folder.phase(last), wait=True):
            _score(order, folder, recipe)
    folder.log("step done", key=order.key)


def _train(order: Order, name: str, folder: StudyFolder, recipe: Recipe) -> None:
    """A phase that comes before the target's."""
    from lowres_stilts.pipeline.arms import fitted, open_bench  # noqa: PLC0415
    from lowres_stilts.pipeline.phase import run_phase  # noqa: PLC0415
    from lowres_stilts.pipeline.transfer import intermediate_phases, language_phases  # noqa: PLC0415

    if (folder.phase(order.key) / "module").exists():
        return
    texts, sets = first_phase_sets(recipe)
    recipe = settled(recipe, languages=texts.values(), intermediate=sets)
    phases = [*language_phases(recipe, texts), *intermediate_phases(recipe, sets)]
    (phase,) = [phase for phase in phases if phase.name == name]
    run = folder.run(folder.phase(order.key), order.phases)
    display = Display(quiet=True)
    bench = open_bench(recipe, _encoder(recipe.model), run, display, fitted(recipe, run, display))
    for below in phase.below:
        bench.stack.load(below, run.phase(below) / "module")
    run_phase(phase, bench)


def _score(order: Order, folder: StudyFolder, recipe: Recipe) -> None:
    """The target phase of an arm and its predictions in every language."""
    from lowres_stilts.encoder.checkpoint import weights_sha256  # noqa: PLC0415
    from lowres_stilts.pipeline.answers import Answering  # noqa: PLC0415
    from lowres_stilts.pipeline.arms import evaluate_arm, fitted, open_bench  # noqa: PLC0415
    from lowres_stilts.pipeline.environment import peak_memory_bytes, versions  # noqa: PLC0415
    from lowres_stilts.pipeline.transfer import load_first_phases, train_target  # noqa: PLC0415

    if folder.result(order.key).exists():
        return
    started = time.perf_counter()
    material = Material.of(recipe, first_phases=False)
    recipe = settled_by(recipe, material)
    run = folder.run(folder.arm(order.key), order.phases)
    run.path.mkdir(parents=True, exist_ok=True)
    encoder = _encoder(recipe.model)
    display = Display(quiet=True)
    bench = open_bench(recipe, encoder, run, display, fitted(recipe, run, display))
    summaries: list[dict[str, Any]] = []
    load_first_phases(recipe, bench)
    trained = train_target(recipe, material.target_set, bench, summaries)
    answering = Answering(recipe, material, bench, trained)
    arm = evaluate_arm(recipe, material, bench, SYSTEM_FOLDER, answering)
    training = sum(summary["seconds"] for summary in summaries)
    told = {
        "target": material.target.name,
        "metric": material.target.metric,
        "licence": material.target.licence,
        "citation": material.target.citation,
        "without_answers": material.without_answers,
        "answers_at": material.target.answers_at,
        "model": recipe.model.model_dump(mode="json"),
        "weights_sha256": weights_sha256(encoder.path, encoder.revision),
        "parameters": _parameters(encoder),
        "phases": summaries,
        "cost": {
            "training_seconds": round(training, 1),
            "seconds": round(time.perf_counter() - started, 1),
            "peak_memory_bytes": peak_memory_bytes(encoder.device),
        },
        "versions": versions(),
    }
    samples = {
        language: samples_of(material.target, examples, run.path / SYSTEM_FOLDER, recipe.evaluate.split, language)
        for language, examples in material.test.items()
        if language in material.gold
    }
    _write(folder.result(order.key), told, arm, samples)


def _write(path: Path, told: Mapping[str, Any], arm: "Arm", samples: Mapping[str, Any]) -> None:
    def fill(temporary: Path) -> None:
        (temporary / ARM).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        (temporary / SAMPLES).write_text(
            json.dumps(samples, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        tables: dict[str, Any] = {f"{PREFIX}{language}": table for language, table in arm.tables.items()}
        np.savez(temporary / COUNTS, **tables)

    write_folder(path, fill)


_spare: dict[str, "Encoder"] = {}
"""The last encoder of this process as it was loaded; steps put modules into copies."""


def _encoder(settings: ModelSettings) -> "Encoder":
    from dataclasses import replace  # noqa: PLC0415

    from lowres_stilts.pipeline.arms import load_model  # noqa: PLC0415

    key = settings.model_dump_json(exclude={"head"})
    if key not in _spare:
        _spare.clear()
        loaded = load_model(settings)
        if loaded.device.type != "cpu":  # memory there is for one
            return loaded
        _spare[key] = loaded
    return replace(_spare[key], model=copy.deepcopy(_spare[key].model))


def _parameters(encoder: "Encoder") -> dict[str, int]:
    """Of the encoder, by its shape: whole, and without the word embeddings."""
    config = encoder.model.config
    hidden, wide = int(config.hidden_size), int(config.intermediate_size)
    layer = 4 * (hidden * hidden + hidden) + 2 * hidden * wide + hidden + wide + 4 * hidden
    layers = int(config.num_hidden_layers) * layer
    words = int(config.vocab_size) * hidden
    others = (int(config.max_position_embeddings) + int(config.type_vocab_size) + 2) * hidden
    return {"all": layers + words + others, "without_embeddings": layers}
