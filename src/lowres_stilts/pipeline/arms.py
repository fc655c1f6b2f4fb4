"""The two arms of a run, with and without the intermediate phase, and what they score."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from lowres_stilts.data.examples import Pool
from lowres_stilts.data.withheld import answers_unknown
from lowres_stilts.display import Display
from lowres_stilts.encoder.checkpoint import weights_sha256
from lowres_stilts.encoder.device import is_out_of_memory
from lowres_stilts.encoder.load import Encoder, compute_on, device_of, load_encoder, read_config, weights_bytes
from lowres_stilts.errors import TrainingError
from lowres_stilts.evaluation.chance import score_of_one_answer
from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.evaluation.retrieval import sweep
from lowres_stilts.evaluation.submission import prediction_file, read_predictions, write_predictions
from lowres_stilts.evaluation.transfer import Arm, transfer_results
from lowres_stilts.pipeline.answers import Answering, as_pool, retriever_of
from lowres_stilts.pipeline.choice import Choice
from lowres_stilts.pipeline.data_remarks import cut_into_pieces, on_data, seen_in_training
from lowres_stilts.pipeline.environment import peak_memory_bytes, versions
from lowres_stilts.pipeline.folder import RunFolder
from lowres_stilts.pipeline.given import GivenModule, place_modules
from lowres_stilts.pipeline.hardware import this_place
from lowres_stilts.pipeline.hyperparameters import chosen_lines, settled_by
from lowres_stilts.pipeline.kinds import KINDS
from lowres_stilts.pipeline.material import Material
from lowres_stilts.pipeline.names import BASELINE, BASELINE_FOLDER, SYSTEM_FOLDER
from lowres_stilts.pipeline.phase import Bench
from lowres_stilts.pipeline.planner import fit_recipe
from lowres_stilts.pipeline.transfer import train_baseline, train_languages, train_system
from lowres_stilts.recipe.model import ModelSettings
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.tasks.families import DECODERS
from lowres_stilts.tasks.reading import nested, told_of
from lowres_stilts.training.team import ALONE, Team

GB = 10**9

Answer = Callable[[str], list[Any]]
"""Predictions for the test examples of a language."""


def execute(
    recipe: Recipe,
    material: Material,
    folder: RunFolder,
    display: Display,
    team: Team = ALONE,
    given: Sequence[GivenModule] = (),
) -> dict[str, Any]:
    """Trains and evaluates what is not done yet, and writes the results.

    Processes other than main train their share, and return nothing.

    Raises:
        EncoderError: the encoder cannot be loaded.
        TrainingError: training fails, for lack of memory on the GPU too.
        RunError: something cannot be written, or another process of the team has ended.
    """
    recipe = _settle(recipe, material, folder, display)
    try:
        if team.is_main:
            return _execute(recipe, material, folder, display, team, given)
        _follow(recipe, material, folder, display, team)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingError(
            "memory does not even hold one example at a time; `lowres-stilts plan` says what helps"
        ) from error
    return {}


def _settle(recipe: Recipe, material: Material, folder: RunFolder, display: Display) -> Recipe:
    """The recipe with numbers for what it leaves to the data, which the run folder keeps."""
    now = settled_by(recipe, material)
    for line in chosen_lines(recipe, now):
        display.line(line)
    folder.settle(now)
    return now


def _follow(recipe: Recipe, material: Material, folder: RunFolder, display: Display, team: Team) -> None:
    """What a process other than main does: its share of the training."""
    encoder, choices = _load(recipe, folder, display, team)
    team.from_main(lambda: None)  # main puts the modules of packages into their places
    bench = open_bench(recipe, encoder, folder, display, choices, team)
    train_languages(recipe, material, bench, [])
    stilts = train_system(recipe, material, bench, [])
    if _has_baseline(recipe):
        train_baseline(recipe, material, bench, [], stilts)


def _execute(
    recipe: Recipe,
    material: Material,
    folder: RunFolder,
    display: Display,
    team: Team,
    given: Sequence[GivenModule],
) -> dict[str, Any]:
    started = time.perf_counter()
    encoder, choices = _load(recipe, folder, display, team)
    team.from_main(lambda: place_modules(recipe, material.target, given, encoder, folder, display))
    stored = weights_bytes(encoder.model)
    folder.log("encoder loaded", weights_bytes=stored, device=str(encoder.device), processes=team.size)
    bench = open_bench(recipe, encoder, folder, display, choices, team)
    summaries: list[dict[str, Any]] = []
    _warn_of_languages(recipe, material, display)
    _warn_of_absent(recipe, material, display)
    _warn_of_answers(material, display)
    for line in told_of(material.left_out):
        display.line(line)
    data = _look_at_data(material, encoder, display)
    train_languages(recipe, material, bench, summaries)
    stilts = train_system(recipe, material, bench, summaries)
    answer = Answering(recipe, material, bench, stilts, recipe.evaluate.nbest)
    system = evaluate_arm(recipe, material, bench, SYSTEM_FOLDER, answer)
    bench.stack.activate(stilts.active)
    swept = _sweep(recipe, material, bench)
    baseline = None
    if _has_baseline(recipe):
        alone = train_baseline(recipe, material, bench, summaries, stilts)
        baseline = evaluate_arm(
            recipe, material, bench, BASELINE_FOLDER, Answering(recipe, material, bench, alone)
        )
    results = {
        **_described(recipe, encoder, stored),
        **_scored(recipe, material, system, baseline, labelled_languages(material, summaries)),
        **({"sweep": swept} if swept else {}),
        **data,
        "data_revisions": dict(material.revisions),
        **({"left_out": nested(material.left_out)} if material.left_out else {}),
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


def _described(recipe: Recipe, encoder: Encoder, stored: int) -> dict[str, Any]:
    """What was run."""
    model = recipe.model.model_dump(mode="json") | {
        "weights_bytes": stored,
        "weights_sha256": weights_sha256(encoder.path, encoder.revision),
        "base_id": encoder.base_id,
        "model_type": encoder.model.config.model_type,
        "computed_in": str(encoder.dtype).removeprefix("torch."),
    }
    return {"model": model, "recipe": recipe.model_dump(mode="json")}


def labelled_languages(material: Material, summaries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Languages whose labels of the target task the system learned, in any phase; the others are zero-shot."""
    task = material.target
    told = (phase["tasks"].get(task.name) for phase in summaries if phase["phase"] != BASELINE)
    found = [code for each in told if each for code in each.get("languages", [task.english])]
    return list(dict.fromkeys(found))


def _scored(
    recipe: Recipe, material: Material, system: Arm, baseline: Arm | None, labelled: Sequence[str]
) -> dict[str, Any]:
    """What it scores, and on what."""
    settings, metric, task = recipe.evaluate, METRICS[material.target.metric], material.target.name
    scores = transfer_results(
        task, metric, system, baseline, samples=settings.bootstrap, seed=recipe.seed, labelled=labelled
    )
    evaluation = {
        "split": settings.split,
        "limit": settings.limit,
        "labelled": list(labelled),
        "language_adapters": sorted(material.languages),
        "without_answers": material.without_answers,
        "answers_at": material.target.answers_at,
    }
    return {**scores, **_chance(material), "evaluation": evaluation}


def _chance(material: Material) -> dict[str, Any]:
    """What one answer for all scores in each language; nothing for retrieval, which has no answer for all."""
    task = material.target
    if task.family not in DECODERS:
        return {}
    examples = {language: found for language, found in material.test.items() if not isinstance(found, Pool)}
    return {
        "chance": {
            task.name: {
                language: round(score_of_one_answer(task, examples[language], language), 4)
                for language in material.gold
            }
        }
    }


def _load(recipe: Recipe, folder: RunFolder, display: Display, team: Team) -> tuple[Encoder, dict[str, Choice]]:
    display.line(f"loading {recipe.model.id}, {recipe.model.quantize}")
    choices = team.from_main(lambda: fitted(recipe, folder, display, team.size))
    return team.main_first(lambda: load_model(recipe.model)), choices


def _has_baseline(recipe: Recipe) -> bool:
    return recipe.evaluate.baseline and recipe.target.transfer != "none"


def fitted(recipe: Recipe, folder: RunFolder, display: Display, processes: int = 1) -> dict[str, Choice]:
    """What the planner has the phases compute at once; it says so where that is not what the recipe says."""
    place = this_place(recipe.model.device, processes)
    choices = fit_recipe(recipe, read_config(recipe.model.id, recipe.model.revision), place, unfitted=False)
    for choice in choices:
        folder.log("plan", budget_bytes=place.budget, **asdict(choice))
        if choice.parts > 1:
            display.line(
                f"{choice.section}: batches of {choice.tokens_per_batch} tokens are computed "
                f"{choice.tokens_at_once} at a time, for the sake of memory"
            )
        if not choice.fits:
            display.line(
                f"warning: {choice.section} may not fit into memory: it wants {choice.peak_bytes / GB:.1f} GB of "
                f"{place.budget / GB:.1f} GB; `lowres-stilts plan` says what helps"
            )
    return {choice.section: choice for choice in choices}


def load_model(settings: ModelSettings) -> Encoder:
    """The encoder that a recipe names.

    Raises:
        EncoderError: it cannot be loaded.
    """
    compute = compute_on(device_of(settings.device).type, settings.compute)
    return load_encoder(
        **settings.model_dump(exclude={"id", "head", "compute"}), compute=compute, model_id=settings.id
    )


def open_bench(
    recipe: Recipe,
    encoder: Encoder,
    folder: RunFolder,
    display: Display,
    choices: Mapping[str, Choice],
    team: Team = ALONE,
) -> Bench:
    """An empty stack over the encoder, which it changes in place."""
    stack = KINDS[_kind(recipe)].stack(encoder)
    return Bench(folder, encoder, stack, recipe.model.head, recipe.seed, display, choices, team)


def _kind(recipe: Recipe) -> str:
    """Of the modules: all of a run are of one."""
    if recipe.languages is not None:
        return recipe.languages.module.kind
    if recipe.intermediate is None or recipe.target.transfer == "none":
        return recipe.target.module.kind
    return recipe.intermediate.module.kind


def _warn_of_languages(recipe: Recipe, material: Material, display: Display) -> None:
    if recipe.languages is None:
        return
    if without := [language for language in material.test if language not in recipe.languages.adapters]:
        display.line(f"warning: no language adapter for {', '.join(without)}: the English one answers for them")


def _warn_of_absent(recipe: Recipe, material: Material, display: Display) -> None:
    """Languages of a task of the user's own that have no test file: of other tasks, few have all."""
    target = material.target
    absent = [language for language in target.languages if language not in material.test]
    if target.name in recipe.tasks and isinstance(recipe.evaluate.languages, str) and absent:
        display.line(
            f"warning: {target.name}: no {recipe.evaluate.split} file in {', '.join(absent)}, so no score there; "
            "name the others in evaluate.languages"
        )


def _warn_of_answers(material: Material, display: Display) -> None:
    if without := material.without_answers:
        target = material.target
        display.line(f"warning: {answers_unknown(target.name, without, target.answers_at)}")


def _look_at_data(material: Material, encoder: Encoder, display: Display) -> dict[str, Any]:
    """What is known of the data before training, with remarks on it, which are told."""
    seen, pieces = seen_in_training(material), cut_into_pieces(material, encoder.tokenizer)
    remarks = on_data(material.target.name, seen, pieces)
    for remark in remarks:
        display.line(f"warning: {remark}")
    return {"remarks": remarks, "seen_in_training": seen, "pieces": pieces}


def _sweep(recipe: Recipe, material: Material, bench: Bench) -> list[dict[str, Any]]:
    """Mean scores over languages of further layers and both poolings, with the modules that are active."""
    layers = recipe.evaluate.retrieval.sweep
    if not layers or material.target.family != "retrieval":
        return []
    pools = {language: as_pool(material.test[language]) for language in material.gold}
    metric = METRICS[material.target.metric]
    answers = sweep(retriever_of(recipe, material, bench), layers, material.target, pools, material.tuning)
    return [
        {
            "layer": view.layer,
            "pooling": view.pooling,
            "mean": fmean(
                metric.score(metric.table(material.gold[language], found[language], language))
                for language in found
            ),
        }
        for view, found in answers.items()
    ]


def evaluate_arm(recipe: Recipe, material: Material, bench: Bench, arm: str, answer: Answer) -> Arm:
    """Predicts every language that has no prediction file yet, and counts where the answers are known."""
    predicted = {}
    task, split = material.target, recipe.evaluate.split
    with bench.display.work(f"{arm}: {task.name}") as advance:
        for done, (language, examples) in enumerate(material.test.items(), start=1):
            path = bench.folder.predictions(arm, task.name, prediction_file(task, split, language))
            if not path.exists():
                write_predictions(path, task, examples, answer(language))
            if language in material.gold:
                predicted[language] = read_predictions(path, task, examples)
            advance(done, len(material.test), language)
    return Arm.of(METRICS[task.metric], material.gold, predicted)
