"""Writes a bundle: graphs, adapters, tokenizer and manifest, checked against torch first."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from lowres_stilts.encoder.load import Encoder
from lowres_stilts.errors import ExportError, UsageError
from lowres_stilts.export.adapters import adapter_inputs, write_adapter
from lowres_stilts.export.gate import Gate, Tests
from lowres_stilts.export.model import FORMS, base_model
from lowres_stilts.export.presets import products_of
from lowres_stilts.export.products import Range
from lowres_stilts.export.reference import shape_of, weights_of
from lowres_stilts.export.sources import Item, float_base, items_of, open_packages
from lowres_stilts.export.trim import Vocabulary, choose_pieces, trim_encoder
from lowres_stilts.export.write import write_models
from lowres_stilts.hub.manifest import Base
from lowres_stilts.hub.verify import Package
from lowres_stilts.pipeline.dev import longest
from lowres_stilts.recipe.schema import Recipe, RetrievalSettings
from lowres_stilts.runtime.manifest import (
    MANIFEST,
    TOKENIZER,
    WEIGHTS,
    AdapterPart,
    BasePart,
    EmbeddingPart,
    Manifest,
    Quantize,
)
from lowres_stilts.runtime.sums import sha256_of, write_sums
from lowres_stilts.storage import write_folder
from lowres_stilts.tasks.qa import NULL_METRIC

LIBRARIES = ("lowres-stilts", "onnx", "onnxruntime", "torch", "transformers", "tokenizers")
EMBEDDED = 512
"""Most tokens of a text that is embedded."""
EVERY = 1_000_000
"""More tokens than any encoder takes."""


@dataclass(frozen=True)
class Bundled:
    """What goes into a bundle."""

    encoder: Encoder
    """In float32, with the vocabulary that the bundle has."""
    whole: Encoder
    """With its whole vocabulary."""
    base: Base
    items: list[Item]
    embedding: EmbeddingPart
    vocabulary: Vocabulary | None


def export_bundle(
    places: Sequence[Path],
    output: Path,
    *,
    quantize: Quantize,
    preset: str,
    words: Mapping[str, Mapping[str, float]] | None = None,
    vocabulary: int = 0,
    tests: Tests | None = None,
    tolerance: float = 0.5,
    say: Callable[[str], object] = lambda _: None,
) -> Manifest:
    """Writes a bundle of adapter packages, or of finished runs, into a new folder.

    Args:
        places: folders of packages or runs, all with the same base.
        output: the bundle's folder; it must not exist.
        quantize: how weights are stored.
        preset: the name under which that was chosen.
        words: frequencies by language: the vocabulary is cut to what they need.
        vocabulary: how many pieces stay then.
        tests: gives the evaluation data of an adapter's task; without it only graphs are compared.
        tolerance: points that the mean of all scores may lose against float32.
        say: told of every step.

    Raises:
        UsageError: the folder exists.
        PackageError: a package is damaged, or they have different bases.
        ExportError: a graph differs from torch, or scores fall too far; nothing is written.
        RunError: the folder cannot be written.
    """
    if output.exists():
        raise UsageError(f"{output} is there already; choose another folder or remove it")
    packages = open_packages(places)
    say(f"base {packages[0].manifest.base.id}, {len(packages)} packages")
    bundled = _gathered(packages, words, vocabulary)
    gate = Gate(bundled.encoder, bundled.whole, bundled.items, tests, tolerance, say)
    with tempfile.TemporaryDirectory() as scratch:
        say("float32 graphs against torch")
        exact = _fill(Path(scratch) / "exact", bundled, "none", "exact", {}, {})
        parity = gate.graphs(exact)
    found: list[Manifest] = []

    def fill(folder: Path) -> None:
        say(f"{quantize} graphs" if quantize != "none" else "writing")
        _fill(folder, bundled, quantize, preset, parity, gate.calibration.ranges)
        checked = parity | gate.quantized(folder)
        found.append(_described(bundled, quantize, preset, checked))
        _finish(folder, found[-1])

    write_folder(output, fill)
    return found[0]


def _gathered(packages: Sequence[Package], words: Mapping[str, Mapping[str, float]] | None, size: int) -> Bundled:
    encoder, base = float_base(packages)
    chosen = choose_pieces(encoder.tokenizer, words, size) if words else None
    smaller = trim_encoder(encoder, chosen) if chosen else encoder
    return Bundled(smaller, encoder, base, items_of(packages), _embedding(packages, encoder), chosen)


def _fill(
    folder: Path,
    bundled: Bundled,
    quantize: Quantize,
    preset: str,
    parity: Mapping[str, Any],
    ranges: Mapping[str, Range],
) -> Path:
    """Everything of a bundle, with what is known of its parity so far."""
    (folder / "adapters").mkdir(parents=True, exist_ok=True)
    shape, weights = shape_of(bundled.encoder), weights_of(bundled.encoder.model)
    layers = [bundled.embedding.layer]
    models = {
        file: base_model(shape, weights, products_of(quantize, ranges), form, layers)
        for file, form in FORMS.items()
    }
    write_models(folder, models, WEIGHTS)
    _plain(bundled.encoder.tokenizer).save(str(folder / TOKENIZER), pretty=False)
    manifest = _described(bundled, quantize, preset, parity)
    for item, part in zip(bundled.items, manifest.adapters, strict=True):
        write_adapter(folder / part.file, adapter_inputs(item.package, item.part.name))
    _finish(folder, manifest)
    return folder


def _finish(folder: Path, manifest: Manifest) -> None:
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    write_sums(folder)


def _described(bundled: Bundled, quantize: Quantize, preset: str, parity: Mapping[str, Any]) -> Manifest:
    base, encoder = bundled.base, bundled.encoder
    return Manifest(
        format=1,
        base=BasePart(
            id=base.id,
            sha256=base.sha256,
            model_type=base.model_type,
            quantized_as=base.quantize,
            layers=encoder.model.config.num_hidden_layers,
            hidden=encoder.hidden_size,
            pad_id=encoder.pad_id,
            max_length=longest(EVERY, encoder),
        ),
        quantize=quantize,
        preset=preset,
        embedding=bundled.embedding,
        adapters=[_part(item, longest(EVERY, encoder)) for item in bundled.items],
        languages=bundled.vocabulary.coverage if bundled.vocabulary else None,
        parity=dict(parity),
        versions={name: version(name) for name in LIBRARIES},
    )


def _part(item: Item, most: int) -> AdapterPart:
    return AdapterPart(
        name=item.name,
        task=item.part.name,
        family=item.part.family,
        labels=item.part.labels,
        no_answer=item.part.metric == NULL_METRIC,
        max_length=min(item.part.max_length, most),
        package=sha256_of(item.package.folder / "stilts.json"),
        licence=item.part.licence,
    )


def _embedding(packages: Sequence[Package], encoder: Encoder) -> EmbeddingPart:
    """As the first package whose recipe says so embeds; else the mean of the last layer."""
    settings = [Recipe.model_validate(package.manifest.recipe).evaluate.retrieval for package in packages]
    own = next((found for found in settings if found != RetrievalSettings()), settings[0])
    layers = int(encoder.model.config.num_hidden_layers)
    layer = own.layer if own.layer >= 0 else layers + 1 + own.layer
    if not 0 <= layer <= layers:
        raise ExportError(f"evaluate.retrieval.layer of a package: {own.layer} is out of range, 0 to {layers}")
    length = longest(EMBEDDED, encoder)
    return EmbeddingPart(layer=layer, pooling=own.pooling, prefix=own.prefix, max_length=length)


def _plain(tokenizer: Tokenizer) -> Tokenizer:
    """Without settings of the last use."""
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
