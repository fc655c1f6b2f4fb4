"""The two arms of a run, with and without the intermediate phase, and what they score."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from lowres_stilts.display import Display
from lowres_stilts.encoder.load import load_encoder, weights_bytes
from lowres_stilts.errors import TrainingError
from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.evaluation.predict import predict
from lowres_stilts.evaluation.retrieval import retrieve
from lowres_stilts.evaluation.submission import read_predictions, write_predictions
from lowres_stilts.evaluation.transfer import Arm, transfer_results
from lowres_stilts.modules.lora import ModuleStack
from lowres_stilts.pipeline.environment import peak_memory_bytes, versions
from lowres_stilts.pipeline.folder import RunFolder
from lowres_stilts.pipeline.material import Material, TrainingSet
from lowres_stilts.pipeline.phase import Bench, Phase, max_length, run_phase
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.tasks.cache import cached_features

INTERMEDIATE, TARGET, BASELINE = "intermediate", "target", "baseline"
SYSTEM_FOLDER, BASELINE_FOLDER = "predictions", "baseline-predictions"

Answer = Callable[[str], list[Any]]
"""Predictions for the test examples of a language."""


def execute(recipe: Recipe, material: Material, folder: RunFolder, display: Display) -> dict[str, Any]:
    """Trains and evaluates what is not done yet, and writes the results.

    Raises:
        EncoderError: the encoder cannot be loaded.
        TrainingError: training fails, for lack of memory on the GPU too.
        RunError: something cannot be written.
    """
    try:
        return _execute(recipe, material, folder, display)
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            "the GPU is out of memory; lower train.tokens_per_batch (raise train.accumulate by as much), or set "
            "train.gradient_checkpointing: true, and start in a new folder"
        ) from error


def _execute(recipe: Recipe, material: Material, folder: RunFolder, display: Display) -> dict[str, Any]:
    started = time.perf_counter()
    display.line(f"loading {recipe.model.id}, {recipe.model.quantize}")
    encoder = load_encoder(**recipe.model.model_dump(exclude={"id", "head"}), model_id=recipe.model.id)
    stored = weights_bytes(encoder.model)
    folder.log("encoder loaded", weights_bytes=stored, device=str(encoder.device))
    bench = Bench(folder, encoder, ModuleStack(encoder), recipe.model.head, recipe.seed, display)
    summaries: list[dict[str, Any]] = []
    system = _evaluate(recipe, material, bench, SYSTEM_FOLDER, _system(recipe, material, bench, summaries))
    baseline = None
    if recipe.evaluate.baseline and recipe.target.transfer != "none":
        answer = _baseline(recipe, material, bench, summaries)
        baseline = _evaluate(recipe, material, bench, BASELINE_FOLDER, answer)
    metric = METRICS[material.target.metric]
    scores = transfer_results(
        material.target.name, metric, system, baseline, samples=recipe.evaluate.bootstrap, seed=recipe.seed
    )
    results = {
        "model": recipe.model.model_dump(mode="json") | {"weights_bytes": stored},
        "recipe": recipe.model_dump(mode="json"),
        **scores,
        "evaluation": {"split": recipe.evaluate.split, "limit": recipe.evaluate.limit},
        "phases": summaries,
        "cost": {
            "seconds": round(time.perf_counter() - started, 1),  # of the process that finished the run
            "training_seconds": round(sum(summary["seconds"] for summary in summaries), 1),
            "peak_memory_bytes": peak_memory_bytes(encoder.device),
            "trainable_parameters": max((s["trainable_parameters"] for s in summaries), default=0),
        },
        "versions": versions(),
    }
    folder.finish(results)
    return results


def _system(recipe: Recipe, material: Material, bench: Bench, summaries: list[dict[str, Any]]) -> Answer:
    """Intermediate phase and target phase, by the recipe's transfer mode."""
    below: tuple[str, ...] = ()
    start_from = None
    if material.intermediate is not None and recipe.intermediate is not None:
        phase = Phase(
            name="1-intermediate",
            module=INTERMEDIATE,
            below=(),
            start_from=None,
            settings=recipe.intermediate.module,
            train=recipe.intermediate.train,
            data=material.intermediate,
        )
        summaries.append(run_phase(phase, bench)[1])
        if recipe.target.transfer == "continue":
            start_from = bench.folder.phase(phase.name) / "module"
        else:
            below = (INTERMEDIATE,)
    if material.target_set is None:
        return _retrieval(recipe, material, bench, below)
    phase = _target_phase(recipe, material.target_set, "2-target", TARGET, below, start_from)
    return _trained(phase, bench, material, recipe, summaries)


def _baseline(recipe: Recipe, material: Material, bench: Bench, summaries: list[dict[str, Any]]) -> Answer:
    """The target phase alone, or the bare encoder for retrieval."""
    if material.target_set is None:
        return _retrieval(recipe, material, bench, ())
    phase = _target_phase(recipe, material.target_set, "2-target-baseline", BASELINE, (), None)
    return _trained(phase, bench, material, recipe, summaries)


def _target_phase(
    recipe: Recipe, data: TrainingSet, name: str, module: str, below: tuple[str, ...], start_from: Path | None
) -> Phase:
    return Phase(name, module, below, start_from, recipe.target.module, recipe.target.train, data)


def _trained(
    phase: Phase, bench: Bench, material: Material, recipe: Recipe, summaries: list[dict[str, Any]]
) -> Answer:
    network, summary = run_phase(phase, bench)
    summaries.append(summary)
    task, encoder = material.target, bench.encoder

    def answer(language: str) -> list[Any]:
        length = max_length(phase.train, task.max_length, encoder)
        features = cached_features(task, material.test[language], encoder.tokenizer, length)
        return predict(network, encoder, task, features, recipe.evaluate.tokens_per_batch)

    return answer


def _retrieval(recipe: Recipe, material: Material, bench: Bench, active: tuple[str, ...]) -> Answer:
    bench.stack.activate(active)
    settings = recipe.evaluate.retrieval

    def answer(language: str) -> list[Any]:
        return retrieve(
            bench.stack.model,
            bench.encoder,
            material.test[language],
            layer=settings.layer,
            pooling=settings.pooling,
            prefix=settings.prefix,
            tokens_per_batch=recipe.evaluate.tokens_per_batch,
        )

    return answer


def _evaluate(recipe: Recipe, material: Material, bench: Bench, arm: str, answer: Answer) -> Arm:
    """Predicts every language that has no prediction file yet, and counts."""
    predicted = {}
    with bench.display.work(f"{arm}: {material.target.name}") as advance:
        for done, (language, examples) in enumerate(material.test.items(), start=1):
            path = bench.folder.predictions(arm, material.target.name, recipe.evaluate.split, language)
            if not path.exists():
                write_predictions(path, material.target, answer(language))
            predicted[language] = read_predictions(path, material.target, len(examples))
            advance(done, len(material.test), language)
    return Arm.of(METRICS[material.target.metric], material.gold, predicted)
