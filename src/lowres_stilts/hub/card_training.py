"""What a package learned from: the training data of its phases, on its card."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lowres_stilts.hub.manifest import Manifest
from lowres_stilts.tasks.catalog import REGISTRY


@dataclass(frozen=True)
class TrainedOn:
    """The training data of a task in a phase."""

    phase: str
    task: str
    licence: str
    examples: int | None = None
    """None in packages that do not say, for phases before their own."""
    languages: Mapping[str, int] | None = None


def sources_of(manifest: Manifest) -> list[TrainedOn]:
    """All data that the weights of a package come from, its own phase's first."""
    own = [
        TrainedOn(manifest.phase, part.name, part.licence, part.examples, part.languages)
        for part in manifest.tasks
    ]
    if manifest.before is None:
        return [*own, *_by_recipe(manifest)]
    before = [
        TrainedOn(part.phase, part.task, part.licence, part.examples, part.languages) for part in manifest.before
    ]
    return [*own, *before]


def training_text(manifest: Manifest) -> str:
    """Markdown: a table of the data, and how many updates were made."""
    rows = ["| phase | task | examples | languages | licence of the data |", "|---|---|---|---|---|"]
    for source in sources_of(manifest):
        examples = "-" if source.examples is None else f"{source.examples:,}"
        languages = (
            ", ".join(f"{language} {count:,}" for language, count in (source.languages or {}).items()) or "-"
        )
        cells = [source.phase, source.task, examples, languages, source.licence.strip() or "not stated"]
        rows.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(rows) + _updates(manifest)


def _updates(manifest: Manifest) -> str:
    if manifest.updates is None:
        return ""
    best = "" if manifest.best_update is None else f", and the weights are those of update {manifest.best_update}"
    return f"\n\n{manifest.updates:,} updates were made{best}."


def _by_recipe(manifest: Manifest) -> Iterator[TrainedOn]:
    """The intermediate tasks of a package that is older than the list of what came before."""
    section: dict[str, Any] = manifest.recipe.get("intermediate") or {}
    transfer = manifest.recipe.get("target", {}).get("transfer")
    stacked = [part.phase for part in manifest.stack if "intermediate" in part.phase]
    if not stacked and transfer != "continue":
        return
    for task in section.get("tasks", []):
        own = manifest.recipe.get("tasks", {}).get(task, {}).get("licence", "")
        licence = REGISTRY[task].licence if task in REGISTRY else own
        yield TrainedOn(stacked[0] if len(stacked) == 1 else "1-intermediate", task, licence)
