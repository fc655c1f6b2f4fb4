"""Sizes of bundles for ten languages, and what quantization and trimming cost in score."""

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch

from lowres_stilts.encoder.load import Encoder
from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.evaluation.retrieval import Retriever, View
from lowres_stilts.export.bundle import export_bundle
from lowres_stilts.export.evaluation_data import evaluation_data
from lowres_stilts.export.presets import PRESETS, Storage
from lowres_stilts.export.reference import weights_of
from lowres_stilts.export.scores import bundle_scores
from lowres_stilts.export.sources import float_base, open_packages
from lowres_stilts.export.trim import choose_pieces, trim_encoder
from lowres_stilts.export.words import word_counts
from lowres_stilts.export.write import write_models
from lowres_stilts.pipeline.material import answers_of, limited
from lowres_stilts.recipe.data import DataSettings
from lowres_stilts.runtime.bundle import Bundle
from lowres_stilts.runtime.manifest import TOKENIZER, WEIGHTS
from lowres_stilts.tasks.load import find_languages, find_task, open_source
from lowres_stilts.tasks.source import Source
from onnx_speed import int8_forms, random_base
from report import MB, Result, data_dir

ADAPTERS = Path(__file__).resolve().parents[1] / "adapters"
PACKAGES = ("xnli-small", "panx-small", "tydiqa-small")
LANGUAGES = ("ar", "de", "en", "es", "fr", "hi", "ru", "tr", "ur", "vi")
PIECES = {"starter": 56_000, "xlmr_base": 80_000}
SMALL = replace(PRESETS["server-cpu"], embeddings="int4")
"""Storage of the bundles for ten languages."""
PREFIX = "query: "
"""What E5 models want before a sentence."""


@cache
def words() -> dict[str, dict[str, float]]:
    """Of the ten languages."""
    return word_counts(LANGUAGES, {})


def small_bundle(folder: Path) -> Path:
    """The starter for ten languages, with one adapter."""
    export_bundle(
        [ADAPTERS / PACKAGES[0]],
        folder,
        storage=SMALL,
        words=words(),
        vocabulary=PIECES["starter"],
    )
    return folder


def bundle_results(examples: int) -> list[Result]:
    """Megabytes and points."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        results = [
            Result("bundle_mb_starter_10_languages", _size(small_bundle(folder / "small")), "MB", 1),
            Result("bundle_mb_xlmr_base_10_languages", _xlmr_size(folder / "xlmr"), "MB", 1),
        ]
        for name, counts, storage in (
            ("score_loss_points", None, PRESETS["server-cpu"]),
            ("score_loss_points_10_languages", words(), SMALL),
        ):
            losses = _losses(folder / name, counts, examples, storage)
            results += [Result(f"{name}_{task}", loss, "points", examples) for task, loss in losses.items()]
            results.append(Result(name, float(np.mean(list(losses.values()))), "points", len(losses)))
    return results


def preset_results(examples: int) -> list[Result]:
    """What each preset costs in score and in bytes, with the whole vocabulary and three adapters."""
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, storage in PRESETS.items():
            folder = Path(scratch) / name
            loss = float(np.mean(list(_losses(folder, None, examples, storage).values())))
            results.append(Result(f"score_loss_points_{name}", loss, "points", examples))
            results.append(Result(f"bundle_mb_starter_{name}", _size(folder), "MB", 1))
    return results


def _size(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / MB


def _xlmr_size(folder: Path) -> float:
    """XLM-R base with random weights and the starter's tokenizer, which has XLM-R's vocabulary; no adapter."""
    folder.mkdir()
    encoder = _xlmr()
    small = trim_encoder(encoder, choose_pieces(encoder.tokenizer, words(), PIECES["xlmr_base"]))
    weights = weights_of(small.model)
    write_models(folder, int8_forms(weights, "int4"), WEIGHTS)
    small.tokenizer.save(str(folder / TOKENIZER), pretty=False)
    return _size(folder)


def _xlmr() -> Encoder:
    starter, _ = float_base(open_packages([ADAPTERS / PACKAGES[0]]))
    return replace(starter, model=random_base())


def _losses(
    folder: Path, counts: dict[str, dict[str, float]] | None, examples: int, storage: Storage
) -> dict[str, float]:
    """Points lost against float32 torch with the whole vocabulary, by task, the mean over languages."""
    source = open_source(DataSettings(source="xtreme", dir=data_dir()))
    given = evaluation_data(source, examples)
    wanted = set(LANGUAGES)
    manifest = export_bundle(
        [ADAPTERS / name for name in PACKAGES],
        folder,
        storage=storage,
        words=counts,
        vocabulary=PIECES["starter"],
        tests=lambda task: {code: found for code, found in given(task).items() if code in wanted},
        tolerance=100,
    )
    scores = manifest.parity["scores"]
    losses = {
        name.removesuffix("-small"): float(
            np.mean([points[code] - scores["bundle"][name][code] for code in points])
        )
        for name, points in scores["float32_torch"].items()
    }
    return losses | {"tatoeba": _tatoeba_loss(folder, source, examples)}


def _tatoeba_loss(folder: Path, source: Source, examples: int) -> float:
    """Of retrieval with the bare encoder."""
    task = find_task("tatoeba", {}, "tatoeba")
    languages = [code for code in find_languages("all", task, source, "test") if code in LANGUAGES]
    pools = {code: limited(source.pool(task, "test", code), 5 * examples) for code in languages}
    encoder, _ = float_base(open_packages([ADAPTERS / PACKAGES[0]]))
    torch_side = Retriever(encoder.model, encoder, View(), prefix=PREFIX, max_length=512)
    bundle = Bundle.load(folder)
    settings = bundle.manifest.embedding.model_copy(update={"prefix": PREFIX})
    bundle.manifest = bundle.manifest.model_copy(update={"embedding": settings})
    own = bundle_scores(bundle, None, task, pools)
    metric = METRICS[task.metric]
    losses = []
    with torch.inference_mode():
        for code, pool in pools.items():
            points = metric.score(metric.table(answers_of(task, pool), torch_side.answer(task, pool), code))
            losses.append(points - own[code])
    return float(np.mean(losses))
