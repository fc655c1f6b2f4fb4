"""The files of a bundle, from an encoder and adapters over it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import onnx
from tokenizers import Tokenizer

from lowres_stilts.encoder.load import Encoder
from lowres_stilts.export.adapters import adapter_inputs, write_adapter
from lowres_stilts.export.describe import adapter_part, base_part, embedding_part, versions
from lowres_stilts.export.inside import inside_of
from lowres_stilts.export.int8 import Range
from lowres_stilts.export.model import FORMS, base_model
from lowres_stilts.export.presets import Storage, products_of
from lowres_stilts.export.reference import shape_of, weights_of
from lowres_stilts.export.sources import Item, float_base, items_of
from lowres_stilts.export.trim import Vocabulary, choose_pieces, trim_encoder
from lowres_stilts.export.write import write_models
from lowres_stilts.hub.bundle_card import bundle_card
from lowres_stilts.hub.card import CARD
from lowres_stilts.hub.manifest import Base
from lowres_stilts.hub.verify import Package
from lowres_stilts.runtime.manifest import (
    ADAPTERS,
    MANIFEST,
    TOKENIZER,
    WEIGHTS,
    EmbeddingPart,
    Manifest,
)
from lowres_stilts.runtime.sums import write_sums
from lowres_stilts.text.literal import read_literally

NO_RANGES: Mapping[str, Range] = MappingProxyType({})
NO_PARITY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Material:
    """What goes into a bundle."""

    encoder: Encoder
    """In float32, with the vocabulary that the bundle has."""
    whole: Encoder
    """With its whole vocabulary."""
    base: Base
    items: list[Item]
    embedding: EmbeddingPart
    vocabulary: Vocabulary | None


def gather(
    packages: Sequence[Package], words: Mapping[str, Mapping[str, float]] | None = None, size: int = 0
) -> Material:
    """The base of these packages and their adapters.

    Args:
        packages: with one base.
        words: frequencies by language: the vocabulary is cut to what they need.
        size: how many pieces stay then.

    Raises:
        ExportError: a package cannot be exported, or the words are too few.
        PackageError: the base has other weights.
    """
    items = items_of(packages)
    encoder, base = float_base(packages)
    chosen = choose_pieces(encoder.tokenizer, words, size) if words else None
    smaller = trim_encoder(encoder, chosen) if chosen else encoder
    return Material(smaller, encoder, base, items, embedding_part(packages, encoder), chosen)


def write_bundle(
    folder: Path,
    material: Material,
    storage: Storage,
    *,
    ranges: Mapping[str, Range] = NO_RANGES,
    parity: Mapping[str, Any] = NO_PARITY,
) -> Manifest:
    """Writes all files into an existing folder.

    Args:
        folder: of the bundle.
        material: what goes into it.
        storage: how weights are stored.
        ranges: of the layers' inputs, for static quantization.
        parity: what is known of it so far.
    """
    (folder / ADAPTERS).mkdir()
    write_models(folder, _models(material, storage, ranges), WEIGHTS)
    _plain(material.encoder.tokenizer).save(str(folder / TOKENIZER), pretty=False)
    manifest = _described(material, storage, parity)
    for item, part in zip(material.items, manifest.adapters, strict=True):
        write_adapter(folder / part.file, adapter_inputs(item))
    write_manifest(folder, manifest)
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes the manifest, the card, and the sums of all files."""
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    (folder / CARD).write_text(bundle_card(manifest), encoding="utf-8")
    write_sums(folder)


def _models(
    material: Material, storage: Storage, ranges: Mapping[str, Range]
) -> Iterator[tuple[str, onnx.ModelProto]]:
    """The forms of the base, and the graphs of adapters that have their own, by file."""
    shape, weights = shape_of(material.encoder), weights_of(material.encoder.model)
    layers = [material.embedding.layer]
    for file, form in FORMS.items():
        products = products_of(storage, ranges)
        yield file, base_model(shape, weights, products, form, layers)
    for item in material.items:
        if item.own_graph:
            products = products_of(storage, ranges)
            inside = inside_of(item.over(material.encoder), item.language)
            file = adapter_part(item, material.encoder).graph
            yield file, base_model(shape, inside.weights, products, "own", layers, inside.between(products))


def _described(material: Material, storage: Storage, parity: Mapping[str, Any]) -> Manifest:
    return Manifest(
        format=1,
        base=base_part(material.base, material.encoder),
        quantize=storage.quantize,
        embeddings=storage.embeddings,
        preset=storage.preset,
        embedding=material.embedding,
        adapters=[adapter_part(item, material.encoder) for item in material.items],
        languages=material.vocabulary.coverage if material.vocabulary else None,
        parity=dict(parity),
        versions=versions(),
    )


def _plain(tokenizer: Tokenizer) -> Tokenizer:
    """Without settings of the last use, and as it reads texts here."""
    read_literally(tokenizer)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
