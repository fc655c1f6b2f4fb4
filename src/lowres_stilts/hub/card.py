"""The model card of a package, with the Hub's front matter."""

import re
from typing import Any

import yaml

from lowres_stilts.hub.manifest import Manifest, TaskPart
from lowres_stilts.tasks.catalog import REGISTRY

CARD = "README.md"
LIBRARY = "peft"
TAGS = ["lowres-stilts", "lora", "cross-lingual-transfer"]
HUB_ID = re.compile(r"([A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*")
HUB_LICENCES = {
    *("afl-3.0", "apache-2.0", "bsd-3-clause", "mit"),
    *("cc-by-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"),
}
"""Codes that the Hub takes for a licence; its others are "other" with a name."""
WHOLE = """```python
from peft import PeftModel
from transformers import {auto_class}, AutoTokenizer

base = {auto_class}.from_pretrained("{base}"{arguments})
model = PeftModel.from_pretrained(base, "path/to/{name}").eval()
tokenizer = AutoTokenizer.from_pretrained("{base}")
scores = model(**tokenizer({example}, return_tensors="pt"))
```"""
BARE = """```python
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

base = AutoModel.from_pretrained("{base}", add_pooling_layer=False)
model = PeftModel.from_pretrained(base, "path/to/{name}").eval()
inputs = AutoTokenizer.from_pretrained("{base}")({example}, return_tensors="pt")
states, mask = model(**inputs).last_hidden_state, inputs["attention_mask"].unsqueeze(-1)
head = {{key: value.float() for key, value in load_file("path/to/{name}/head.safetensors").items()}}
pooled = (states * mask).sum(1) / mask.sum(1)
scores = pooled @ head["{task}.projection.weight"].T + head["{task}.projection.bias"]
```"""


def model_card(manifest: Manifest) -> str:
    """Markdown: what it is, how to load it, its scores in every language, its recipe."""
    parts = [
        f"---\n{yaml.safe_dump(_front_matter(manifest), sort_keys=False, allow_unicode=True)}---",
        f"# {manifest.name}",
        _summary(manifest),
        "## Load it",
        _loading(manifest),
        "## Scores",
        _scores(manifest),
        "## Recipe",
        f"```yaml\n{yaml.safe_dump(manifest.recipe, sort_keys=False, allow_unicode=True)}```",
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(manifest: Manifest) -> dict[str, Any]:
    languages = sorted({re.split("[-_]", code)[0] for scores in manifest.scores.values() for code in scores})
    results = [
        {
            "task": {"type": task, "name": task},
            "dataset": {"name": f"{task} ({language})", "type": task},
            "metrics": [{"type": score["metric"], "value": score["value"]}],
        }
        for task, scores in manifest.scores.items()
        for language, score in scores.items()
    ]
    hub = [REGISTRY[task.name].hub for task in manifest.tasks if task.name in REGISTRY]
    datasets = list(dict.fromkeys(dataset.id for dataset in hub if dataset is not None))
    return {
        **({"base_model": manifest.base.id} if HUB_ID.fullmatch(manifest.base.id) else {}),
        "library_name": LIBRARY,
        "language": languages or ["en"],
        **_licence([task.licence for task in manifest.tasks]),
        **({"datasets": datasets} if datasets else {}),
        "tags": [*TAGS, *dict.fromkeys(task.family for task in manifest.tasks)],
        "model-index": [{"name": manifest.name, "results": results}],
    }


def _licence(names: list[str]) -> dict[str, str]:
    """The Hub's code of one known licence; a name in its spelling for all else."""
    (first, *others) = dict.fromkeys(name.lower() for name in names)
    if not others and first in HUB_LICENCES:
        return {"license": first}
    return {"license": "other", "license_name": re.sub("[^a-z0-9.]+", "-", "-".join([first, *others])).strip("-")}


def _summary(manifest: Manifest) -> str:
    tasks = ", ".join(_described(task) for task in manifest.tasks)
    below = "".join(f", stacked on `{part.phase}` (`{part.sha256[:12]}`)" for part in manifest.stack)
    base = manifest.base
    digest = f"`{base.sha256[:12]}`" if base.sha256 else "not known"
    return (
        f"A LoRA of rank {manifest.rank} over the frozen `{base.id}` (weights {digest}, trained with quantize "
        f"{base.quantize}, embeddings {base.embeddings}), trained on {tasks}{below}. The head is "
        f"`{manifest.head}`; `stilts.json` says what it was made of, `SHA256SUMS` what belongs to it."
    )


def _described(task: TaskPart) -> str:
    return f"{task.name} ({task.examples} examples; licence of the data: {task.licence})"


def _loading(manifest: Manifest) -> str:
    task = manifest.tasks[0]
    example = (
        '"first text", "second text"' if task.family in {"classification", "multiple_choice", "qa"} else '"text"'
    )
    if manifest.auto_class == "AutoModel":
        return BARE.format(base=manifest.base.id, name=manifest.name, task=task.name, example=example)
    arguments = f", num_labels={len(task.labels)}" if task.labels else ""
    return WHOLE.format(
        auto_class=manifest.auto_class,
        base=manifest.base.id,
        arguments=arguments,
        name=manifest.name,
        example=example,
    )


def _scores(manifest: Manifest) -> str:
    if not manifest.scores:
        dev = ", ".join(f"{t.name} {t.dev_score:.1f}" for t in manifest.tasks if t.dev_score is not None)
        return f"On the English dev sets, in points: {dev}. Not evaluated in other languages."
    split, limit = manifest.evaluation.get("split"), manifest.evaluation.get("limit")
    of = f"the first {limit} examples of each language" if limit else "all examples"
    rows = [
        "| task | language | n | metric | without the intermediate phase | score |",
        "|---|---|---|---|---|---|",
    ]
    for task, scores in manifest.scores.items():
        for language, score in scores.items():
            before = manifest.baseline.get(task, {}).get(language)
            cells = ["-" if before is None else _shown(before), _shown(score)]
            rows.append(f"| {task} | {language} | {score['n']} | {score['metric']} | {' | '.join(cells)} |")
    return f"Zero-shot, split {split}, {of}, in points, with 95% intervals.\n\n" + "\n".join(rows)


def _shown(score: dict[str, Any]) -> str:
    low, high = score["ci95"]
    return f"{score['value']:.1f} [{low:.1f}, {high:.1f}]"
