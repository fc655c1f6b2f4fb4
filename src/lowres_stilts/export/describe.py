"""What manifests say of a base and its adapters."""

from collections.abc import Sequence
from importlib.metadata import version

from lowres_stilts.encoder.load import Encoder
from lowres_stilts.errors import ExportError
from lowres_stilts.export.sources import Item
from lowres_stilts.hub.manifest import MANIFEST, Base
from lowres_stilts.hub.verify import Package
from lowres_stilts.pipeline.dev import longest
from lowres_stilts.recipe.evaluation import RetrievalSettings
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.runtime.manifest import AdapterPart, BasePart, EmbeddingPart
from lowres_stilts.sums import sha256_of
from lowres_stilts.tasks.qa import NULL_METRIC

LIBRARIES = ("lowres-stilts", "onnx", "onnxruntime", "torch", "transformers", "tokenizers")
EMBEDDED = 512
"""Most tokens of a text that is embedded."""
EVERY = 1_000_000
"""More tokens than any encoder takes."""


def versions() -> dict[str, str]:
    """Of the libraries that make a bundle."""
    return {name: version(name) for name in LIBRARIES}


def base_part(base: Base, encoder: Encoder) -> BasePart:
    """The frozen encoder."""
    return BasePart(
        id=base.id,
        sha256=base.sha256,
        model_type=base.model_type,
        quantized_as=base.quantize,
        layers=encoder.model.config.num_hidden_layers,
        hidden=encoder.hidden_size,
        pad_id=encoder.pad_id,
        max_length=longest(EVERY, encoder),
    )


def adapter_part(item: Item, encoder: Encoder) -> AdapterPart:
    """An adapter over the encoder."""
    return AdapterPart(
        name=item.name,
        own_graph=item.own_graph,
        language=item.language,
        task=item.part.name,
        family=item.part.family,
        texts=item.part.texts or item.task.texts,
        labels=item.part.labels,
        no_answer=item.part.metric == NULL_METRIC,
        max_length=longest(item.part.max_length, encoder),
        package=sha256_of(item.package.folder / MANIFEST),
        licence=item.part.licence,
    )


def embedding_part(packages: Sequence[Package], encoder: Encoder) -> EmbeddingPart:
    """As the first package whose recipe says so embeds; else the mean of the last layer.

    Raises:
        ExportError: the encoder has no such layer.
    """
    settings = [Recipe.stored(package.manifest.recipe, package.folder).evaluate.retrieval for package in packages]
    own = next((found for found in settings if found != RetrievalSettings()), settings[0])
    layers = int(encoder.model.config.num_hidden_layers)
    layer = own.layer if own.layer >= 0 else layers + 1 + own.layer
    if not 0 <= layer <= layers:
        raise ExportError(f"evaluate.retrieval.layer of a package: {own.layer} is out of range, 0 to {layers}")
    length = longest(EMBEDDED, encoder)
    return EmbeddingPart(layer=layer, pooling=own.pooling, prefix=own.prefix, max_length=length)
