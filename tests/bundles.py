"""Packages of every family from runs at tiny size, and bundles of them."""

import json
import random
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lowres_stilts.export.bundle import export_bundle
from lowres_stilts.export.presets import EXACT
from lowres_stilts.recipe import Recipe
from lowres_stilts.runtime.sums import write_sums
from tests.once import Once
from tests.project import MOODS
from tests.runs import finished_run

TRAIN = {"epochs": 1, "lr": 2e-2, "tokens_per_batch": 256}
MODULE = {"rank": 4, "alpha": 8}
SHORT = 24
"""Most tokens of a sequence: long texts need several windows."""
WORDS = sorted({word for words in MOODS.values() for word in words.split()})
QUICK: dict[str, Any] = {
    "intermediate__module": MODULE,
    "intermediate__train": TRAIN,
    "target__module": MODULE,
    "target__train": TRAIN,
    "evaluate__baseline": False,
    "evaluate__languages": ["en"],
}


@dataclass(frozen=True)
class Zoo:
    """A bundle of adapters of every family, and what it was made of."""

    bundle: Path
    recipe: Recipe
    packages: dict[str, Path]
    """By adapter of the bundle."""
    tasks: dict[str, str]
    """By adapter of the bundle."""

    @property
    def places(self) -> list[Path]:
        """The folders of the packages, each once."""
        return list(dict.fromkeys(self.packages.values()))


def finished_packages(once: Once, family: str = "xlm-roberta", **changes: Any) -> tuple[Recipe, dict[str, Path]]:
    """The recipe, and packages by phase."""
    return finished_run(once, family=family, settings=MORE, add=_add_more, **(QUICK | changes))


MORE = [
    "data.files.twin={train: twin-en.tsv, dev: twin-en.tsv, test: twin-en.tsv}",
    "data.files.squad_v2={train: maybe-en.json, dev: maybe-en.json, test: maybe-en.json}",
    "tasks.twin={family: classification, languages: [en], labels: ['no', 'yes'], pair: true}",
    f"tasks.asked.max_length={SHORT}",
    f"tasks.tags.max_length={SHORT}",
    "evaluate.retrieval={layer: 1, pooling: cls, prefix: 'good '}",
]
"""A task of text pairs, one that has questions without an answer, and windows in tasks that have them."""


def _add_more(data: Path) -> None:
    rng = random.Random(1)
    pairs, paragraphs = [], []
    for number in range(30):
        first, second = (" ".join(rng.choices(WORDS, k=3)) for _ in range(2))
        same = number % 2 == 0
        pairs.append(f"{first}\t{first if same else second}\t{'yes' if same else 'no'}\n")
        context = f"{first} {second}"
        answers = [{"text": first.split()[0], "answer_start": 0}] if same else []
        question = {"id": f"q{number}", "question": second, "answers": answers, "is_impossible": not same}
        paragraphs.append({"context": context, "qas": [question]})
    (data / "twin-en.tsv").write_text("".join(pairs))
    (data / "maybe-en.json").write_text(json.dumps({"data": [{"title": "", "paragraphs": paragraphs}]}))


def make_zoo(once: Once) -> Zoo:
    """Two stacked phases, several tasks in one package, all families, and both layouts of heads, in one bundle."""
    stacked, first = finished_packages(once, name="first", intermediate__tasks=["choice", "tags", "squad_v2"])
    _, second = finished_packages(
        once, name="second", intermediate__tasks=["twin"], target__task="asked", model__head="library"
    )
    one, two = "1-intermediate", "2-target"
    found = {
        "first-intermediate-choice": (first[one], "choice"),
        "first-intermediate-tags": (first[one], "tags"),
        "first-intermediate-squad_v2": (first[one], "squad_v2"),
        "first": (first[two], "mood"),
        "second-intermediate": (second[one], "twin"),
        "second": (second[two], "asked"),
    }
    packages = {name: path for name, (path, _) in found.items()}
    places = list(dict.fromkeys(packages.values()))
    folder = once("zoo", lambda folder: export_bundle(places, folder / "bundle", storage=EXACT))
    return Zoo(folder / "bundle", stacked, packages, {name: task for name, (_, task) in found.items()})


def copied(bundle: Path, to: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(bundle, to)


def summed(folder: Path) -> Path:
    """The folder, with sums of what is in it now."""
    write_sums(folder)
    return folder


def sentence(rng: random.Random, words: int, vocabulary: Iterable[str] = WORDS) -> str:
    """Random words."""
    return " ".join(rng.choices(list(vocabulary), k=words))
