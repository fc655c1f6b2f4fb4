"""The page that a bundle has on the Hugging Face Hub: its README.md."""

from collections.abc import Iterator

from lowres_stilts.runtime.manifest import AdapterPart, Manifest

CARD = "README.md"
EXAMPLES = {
    "classification": ("The first text.", '("The first text.", "The second one.")'),
    "tagging": ("Barack Obama alizaliwa Honolulu.", ""),
    "qa": ("", '("Who sat?", "The cat sat.")'),
    "multiple_choice": ("", '("It rained.", ["The street is wet.", "The sun shines."])'),
}
"""An input of each family: a text, or Python for several."""


def bundle_card(manifest: Manifest) -> str:
    """Markdown: what the bundle holds, how it is used, and its scores."""
    return "\n".join(_lines(manifest))


def _lines(manifest: Manifest) -> Iterator[str]:
    yield "---"
    yield "library_name: onnx"
    yield f"base_model: {manifest.base.id}"
    yield "tags: [lowres-stilts-bundle, onnx, onnxruntime, cross-lingual-transfer]"
    yield "---\n"
    yield f"# {len(manifest.adapters)} adapters over {manifest.base.id}, for onnxruntime\n"
    stored = f"weights {manifest.quantize}, embeddings {manifest.embeddings}"
    yield (
        f"One encoder ({manifest.base.layers} layers, {stored}) with adapters that are chosen for each text. "
        "It needs lowres-stilts and no PyTorch.\n"
    )
    yield "| adapter | task | family | labels | licence of the data |"
    yield "|---|---|---|---|---|"
    for part in manifest.adapters:
        labels, licence = ", ".join(part.labels), part.licence or "unknown"
        yield f"| {part.name} | {part.task} | {part.family} | {labels} | {licence} |"
    yield ""
    if manifest.adapters:
        yield "```python"
        yield "from lowres_stilts import Bundle\n"
        yield 'bundle = Bundle.load("the folder with these files")'
        yield f'bundle.predict([{_example(manifest.adapters[0])}], adapter="{manifest.adapters[0].name}")'
        yield "```\n"
    yield from _scores(manifest)


def _example(part: AdapterPart) -> str:
    text, several = EXAMPLES[part.family]
    return several if several and part.texts != 1 else f'"{text}"'


def _scores(manifest: Manifest) -> Iterator[str]:
    scores = manifest.parity.get("scores")
    if not scores:
        yield "Its scores were not measured when it was exported.\n"
        return
    yield "Points when it was exported, beside float32 PyTorch:\n"
    yield "| adapter | language | here | PyTorch |"
    yield "|---|---|--:|--:|"
    for name, points in scores["bundle"].items():
        for language, value in points.items():
            yield f"| {name} | {language} | {value:.1f} | {scores['float32_torch'][name][language]:.1f} |"
    yield ""
