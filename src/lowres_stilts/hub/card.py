"""The model card of a package, with the Hub's front matter."""

import re
from itertools import chain, repeat
from typing import Any

import yaml

from lowres_stilts.evaluation.table import with_labels
from lowres_stilts.evaluation.transfer import ENGLISH_CODES
from lowres_stilts.hub.card_code import adapterhub_code, peft_code
from lowres_stilts.hub.card_training import sources_of, training_text
from lowres_stilts.hub.manifest import Manifest, Origin, TaskPart
from lowres_stilts.tasks.catalog import REGISTRY

CARD = "README.md"
TAG = "lowres-stilts"
"""What all packages carry on the Hub."""
ONE_ANSWER = "one answer for all"
"""What a system scores that always gives the commonest answer."""
ADAPTERHUB_TAGS = ["adapter-transformers", "adapters"]
"""What AdapterHub writes on its own cards, and what it looks for."""
HUB_ID = re.compile(r"([A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*")
HUB_LICENCES = {
    *("afl-3.0", "apache-2.0", "bsd-3-clause", "mit"),
    *("cc-by-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"),
}
"""Codes that the Hub takes for a licence; its others are "other" with a name."""
UNKNOWN = "unknown"
"""The Hub's code for a licence that nobody stated."""
LANGUAGE_CODE = re.compile("[a-z]{2,3}")
"""ISO 639, which is what the Hub takes."""


def model_card(manifest: Manifest) -> str:
    """Markdown as the Hub has it: the card's metadata in YAML, then its text."""
    metadata = yaml.safe_dump(_front_matter(manifest), sort_keys=False, allow_unicode=True)
    return f"---\n{metadata}---\n\n{card_text(manifest)}"


def card_text(manifest: Manifest) -> str:
    """Markdown: what it is, how to load it, what it learned from, its scores in every language, its recipe."""
    parts = [
        f"# {manifest.name}",
        _summary(manifest),
        "## Load it",
        _loading(manifest),
        "## Training",
        training_text(manifest),
        "## Scores",
        _scores(manifest),
        "## Recipe",
        f"```yaml\n{yaml.safe_dump(manifest.recipe, sort_keys=False, allow_unicode=True)}```",
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(manifest: Manifest) -> dict[str, Any]:
    own = manifest.composition.language if manifest.composition is not None else None
    tested = [code for scores in manifest.scores.values() for code in scores]
    codes = {re.split("[-_]", code)[0] for code in tested or [own or "en"]}
    languages = sorted(filter(LANGUAGE_CODE.fullmatch, codes))
    results = [
        {
            "task": {"type": task, "name": task},
            "dataset": {"name": f"{task} ({language})", "type": task},
            "metrics": [{"type": score["metric"], "value": score["value"]}],
        }
        for task, scores in manifest.scores.items()
        for language, score in scores.items()
    ]
    sources = sources_of(manifest)
    hub = [REGISTRY[source.task].hub for source in sources if source.task in REGISTRY]
    datasets = list(dict.fromkeys(dataset.id for dataset in hub if dataset is not None))
    return {
        **({"base_model": manifest.base.id} if HUB_ID.fullmatch(manifest.base.id) else {}),
        "library_name": "peft" if manifest.composition is None else ADAPTERHUB_TAGS[0],
        **({"language": languages} if languages else {}),
        **licence([source.licence for source in sources] if manifest.licence is None else [manifest.licence]),
        **({"datasets": datasets} if datasets else {}),
        "tags": [TAG, manifest.kind, "cross-lingual-transfer", *_tags(manifest)],
        "model-index": [{"name": manifest.name, "results": results}],
    }


def _tags(manifest: Manifest) -> list[str]:
    families: list[str] = list(dict.fromkeys(task.family for task in manifest.tasks))
    return families if manifest.composition is None else [*ADAPTERHUB_TAGS, manifest.base.model_type, *families]


def licence(names: list[str]) -> dict[str, str]:
    """The Hub's code of one known licence, or of none; a name in its spelling for all else."""
    spelled = dict.fromkeys(name.strip().lower() or UNKNOWN for name in names)
    if len(spelled) == 1 and (found := {*spelled} & {*HUB_LICENCES, UNKNOWN}):
        return {"license": found.pop()}
    name = re.sub("[^a-z0-9.]+", "-", "-".join(spelled)).strip("-")
    return {"license": "other", "license_name": name or "see-card"}


def _summary(manifest: Manifest) -> str:
    tasks = ", ".join(task.name for task in manifest.tasks)
    words = chain(repeat("stacked on", _stands_on(manifest)), repeat("averaged from"))
    parts = zip(words, manifest.stack, strict=False)
    below = "".join(f", {word} `{part.phase}` (`{part.sha256[:12]}`)" for word, part in parts)
    below += "".join(_began_with(manifest, package) for package in manifest.packages)
    base = manifest.base
    digest = f"`{base.sha256[:12]}`" if base.sha256 else "not known"
    head = "It has no head" if manifest.kind == "language" else f"The head is `{manifest.head}`"
    return (
        f"{_module(manifest)} over the frozen `{base.id}` (weights {digest}, trained with quantize "
        f"{base.quantize}, embeddings {base.embeddings}), trained on {tasks}{below}. {head}; "
        f"`stilts.json` says what it was made of, `SHA256SUMS` what belongs to it."
    )


def _began_with(manifest: Manifest, package: Origin) -> str:
    """Another package that this one was made of, and how."""
    mode = manifest.recipe.get("target", {}).get("transfer")
    words = {"stack": "stacked on", "continue": "continued from", "fuse": "fused with", "merge": "merged with"}
    at = f" at `{package.revision[:12]}`" if package.revision else ""
    return f", {words.get(mode, 'made with')} the package `{package.id}`{at} (`{package.sha256[:12]}`)"


def _stands_on(manifest: Manifest) -> int:
    """How many of the modules that it was made of are below it."""
    composition = manifest.composition
    return len(manifest.stack) if composition is None else len(composition.ground)


def _module(manifest: Manifest) -> str:
    composition = manifest.composition
    if composition is None:
        return f"A LoRA of rank {manifest.rank}"
    if composition.language is not None:
        return f"A language adapter of MAD-X for `{composition.language}`"
    kind = composition.top.adapter
    names = ", ".join(f"`{module.name}`" for module in composition.below)
    own = f"An AdapterFusion of {names}" if kind == "fusion" else f"A bottleneck adapter (`{kind}`)"
    languages = ", ".join(f"`{code}`" for code in composition.languages)
    return f"{own}, with language adapters for {languages} below it," if languages else own


def _loading(manifest: Manifest) -> str:
    composition = manifest.composition
    return peft_code(manifest) if composition is None else adapterhub_code(manifest, composition)


def _scores(manifest: Manifest) -> str:
    dev = _dev_scores(manifest)
    if not manifest.scores:
        return f"{dev} Not evaluated in other languages."
    split, limit = manifest.evaluation.get("split"), manifest.evaluation.get("limit")
    of = f"the first {limit} examples of each language" if limit else "all examples"
    kind = _kind_of_scores(manifest)
    said = f"{kind}, split {split}, {of}, in points, with 95% intervals over the examples: "
    marked = with_labels({"evaluation": manifest.evaluation})
    chances = manifest.chance or {}
    chance, baseline = any(chances.values()), any(manifest.baseline.values())
    head = ["task", "language", "n", "metric"]
    head += [ONE_ANSWER] * chance + ["without the intermediate phase"] * baseline + ["score"]
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for task, scores in manifest.scores.items():
        for language, score in scores.items():
            name = _cell(language) + (", with labels" if language in marked else "")
            cells = [_cell(task), name, str(score["n"]), score["metric"]]
            cells += [_points(chances.get(task, {}).get(language))] * chance
            cells += [_shown(manifest.baseline.get(task, {}).get(language))] * baseline
            rows.append(f"| {' | '.join([*cells, _shown(score)])} |")
    return "\n\n".join([said + _measured(manifest), "\n".join(rows), dev])


def _measured(manifest: Manifest) -> str:
    """On which weights, and by how many trainings."""
    base, seeds = manifest.base, manifest.recipe.get("seeds") or [manifest.recipe.get("seed")]
    stored = "bfloat16" if manifest.kind != "lora" else "bfloat16, a stack as one LoRA,"
    trainings = f"one training, seed {seeds[0]}" if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}"
    return (
        f"{trainings}. The run measured them on its own weights over the base as it was trained (quantize "
        f"{base.quantize}, embeddings {base.embeddings}); here these are stored in {stored} and "
        "`lowres-stilts hub verify --scores` measures what is stored."
    )


def _dev_scores(manifest: Manifest) -> str:
    """Of all tasks, as far as the package knows."""
    told = [
        f"{task.name} {task.dev_score:.1f}" + (f" ({', '.join(facts)})" if (facts := _dev_facts(task)) else "")
        for task in manifest.tasks
        if task.dev_score is not None
    ]
    trained = {language for task in manifest.tasks for language in task.languages or ()}
    sets = "English dev sets" if ENGLISH_CODES.issuperset(trained) else "dev sets"
    return f"On the {sets}, in points: {', '.join(told)}."


def _kind_of_scores(manifest: Manifest) -> str:
    """What they are: in languages with labels in training, zero-shot, or both."""
    labelled = manifest.evaluation.get("labelled", ())
    if ENGLISH_CODES.issuperset(labelled):
        return "Zero-shot"
    codes = {code for scores in manifest.scores.values() for code in scores}
    named = f"With labels of {', '.join(labelled)} in training"
    return named if codes.issubset(labelled) else f"{named}; zero-shot in the other languages"


def _dev_facts(task: TaskPart) -> list[str]:
    chance = [] if task.dev_chance is None else [f"{ONE_ANSWER}: {task.dev_chance:.1f}"]
    return chance + ([] if task.dev_examples is None else [f"{task.dev_examples} examples"])


def _cell(name: str) -> str:
    """A name that does not end its cell."""
    return name.replace("|", r"\|")


def _points(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _shown(score: dict[str, Any] | None) -> str:
    if score is None:
        return "-"
    low, high = score["ci95"]
    return f"{score['value']:.1f} [{low:.1f}, {high:.1f}]"
