"""The model card of a bundle, with the Hub's front matter."""

import re
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from lowres_stilts.errors import BundleError
from lowres_stilts.hub.card import HUB_ID, LANGUAGE_CODE, TAG, licence
from lowres_stilts.runtime.manifest import AdapterPart, Manifest

INPUTS = {
    "classification": '"text"',
    "tagging": '"a sentence"',
    "qa": '("question", "context")',
    "multiple_choice": '("prompt", ["choice", "another"])',
}
FLOAT = "float32"
PAIR = '("first text", "second text")'
CODE = """```sh
pip install 'lowres-stilts[serve]'
lowres-stilts hub pull OWNER/NAME -o bundle
```

```python
from lowres_stilts import Bundle

bundle = Bundle.load("bundle")
{line}
```"""


class Compared(BaseModel):
    """Points of the adapters by name and language."""

    bundle: dict[str, dict[str, float]] = {}
    float32_torch: dict[str, dict[str, float]] = {}


def bundle_card(manifest: Manifest) -> str:
    """Markdown as the Hub has it: the card's metadata in YAML, then its text."""
    metadata = yaml.safe_dump(_front_matter(manifest), sort_keys=False, allow_unicode=True)
    return f"---\n{metadata}---\n\n{bundle_text(manifest)}"


def bundle_text(manifest: Manifest) -> str:
    """Markdown: what it is, how to ask it, its adapters, and their scores where they were compared."""
    parts = [
        f"# Bundle over {manifest.base.id}",
        _summary(manifest),
        "## Ask it",
        CODE.format(line=_line(manifest)),
        "## Adapters",
        _adapters(manifest),
        *(["## Scores", _scores(manifest)] if compared_scores(manifest).bundle else []),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(manifest: Manifest) -> dict[str, Any]:
    tested = (code for scores in compared_scores(manifest).bundle.values() for code in scores)
    trained = (part.language for part in manifest.adapters if part.language)
    codes = {re.split("[-_]", code)[0] for code in (*tested, *trained, *(manifest.languages or {}))}
    languages = sorted(filter(LANGUAGE_CODE.fullmatch, codes))
    families = dict.fromkeys(part.family for part in manifest.adapters)
    return {
        **({"base_model": manifest.base.id} if HUB_ID.fullmatch(manifest.base.id) else {}),
        "library_name": TAG,
        **({"language": languages} if languages else {}),
        **licence([part.licence for part in manifest.adapters] or [""]),
        "tags": [TAG, "bundle", "onnx", "cross-lingual-transfer", *families],
    }


def _summary(manifest: Manifest) -> str:
    base, count = manifest.base, len(manifest.adapters)
    digest = f"weights `{base.sha256[:12]}`, " if base.sha256 else ""
    linear, rows = (FLOAT if stored == "none" else stored for stored in (manifest.quantize, manifest.embeddings))
    stored = f"linear layers in {linear}, embeddings in {rows}"
    adapters = "1 adapter" if count == 1 else f"{count} adapters"
    trimmed = f" Its vocabulary is cut to {', '.join(manifest.languages)}." if manifest.languages else ""
    return (
        f"The frozen encoder `{base.id}` ({digest}{stored}) and {adapters} over it, for onnxruntime, without "
        f"torch and transformers.{trimmed} `bundle.json` says how near its answers are to torch's, "
        "`SHA256SUMS` what belongs to it."
    )


def _line(manifest: Manifest) -> str:
    if not manifest.adapters:
        return 'bundle.embed(["text"])'
    part = manifest.adapters[0]
    return f'bundle.predict([{PAIR if part.texts == 2 else INPUTS[part.family]}], adapter="{part.name}")'


def _adapters(manifest: Manifest) -> str:
    rows = [_row(part) for part in manifest.adapters]
    return "\n".join(
        ["| adapter | task | family | labels | licence of the data |", "|---|---|---|---|---|", *rows]
    )


def _row(part: AdapterPart) -> str:
    labels = ", ".join(f"`{label}`" for label in part.labels) or "-"
    cells = [part.name, part.task, part.family, labels, part.licence or "not stated"]
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def compared_scores(manifest: Manifest) -> Compared:
    """Scores in this bundle and in float32, where it was exported with data."""
    try:
        return Compared.model_validate(manifest.parity.get("scores") or {})
    except ValidationError as error:
        raise BundleError(
            "bundle.json: parity.scores are not as `export` writes them; get the bundle anew"
        ) from error


def _scores(manifest: Manifest) -> str:
    compared = compared_scores(manifest)
    exact = compared.float32_torch
    rows = [
        f"| {name} | {language} | {_shown(exact.get(name, {}).get(language))} | {_shown(value)} |"
        for name, scores in compared.bundle.items()
        for language, value in scores.items()
    ]
    head = ["| adapter | language | float32 in torch | this bundle |", "|---|---|---|---|"]
    said = "Zero-shot, in points of each task's metric, on the examples with which it was exported."
    return "\n".join([said, "", *head, *rows])


def _shown(points: float | None) -> str:
    return "-" if points is None else f"{points:.1f}"
