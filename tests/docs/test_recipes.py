"""Every recipe that a page shows whole learns: English dev is clear of chance after each phase."""

import json
import random
from pathlib import Path

import pytest
import yaml

from lowres_stilts.pipeline import run
from lowres_stilts.recipe import Recipe
from tests.conftest import ROOT
from tests.docs.pages import Block, read_page
from tests.docs.shown import shown

PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs/tutorials").glob("*.md")),
]
HERE = {"model.id": "starter:multilingual-minilm", "evaluate.limit": 20}
SIZES = {
    "README.md": {
        "data.files": {
            "mnli": {"train": "english/nli/multinli/taxinli10k.tsv"},
            "squad": {"train": "english/qa/squad/dev-v1.1-minus-xquad.json"},
        },
        "intermediate.train.limit": 600,
        "intermediate.train.holdout": 0.05,
        "intermediate.train.dev_limit": 100,
        "target.train.limit": 600,
        "target.train.dev_limit": 100,
    },
}
"""What makes the recipe of a page small, or fit to the data that is here."""


def recipes_of(page: Path) -> list[Block]:
    """Blocks that are a recipe and not a part of one, nor a study."""
    blocks = [block for block in read_page(page.read_text(encoding="utf-8")) if block.kind == "yaml"]
    return [block for block in blocks if {"name", "model", "target"} <= set(yaml.safe_load(block.text))]


def write_tickets(folder: Path, suffix: str) -> None:
    """The files of the tutorial on own files, as JSON lines or as tables."""
    for block in read_page((ROOT / "docs/tutorials/own-file.md").read_text(encoding="utf-8")):
        if block.title.endswith(".jsonl"):
            path = folder / block.title
            path.parent.mkdir(exist_ok=True)
            rows = [json.loads(line) for line in block.text.splitlines()]
            table = "".join(f"{row['text']}\t{row['label']}\n" for row in rows)
            path.with_suffix(suffix).write_text(block.text if suffix == ".jsonl" else table, encoding="utf-8")


def write_names(folder: Path) -> None:
    """Sentences with names, as CoNLL."""
    people, places = ("Asha", "Juma", "Maria Lopez", "Kofi"), ("Nairobi", "Lima", "Addis Ababa", "Hanoi")
    frames = ("PER lives in LOC .", "In LOC we met PER yesterday .", "PER and PER left LOC .", "It rains .")
    (folder / "names").mkdir()
    for number, split in enumerate(("train-en", "dev-en", "test-sw")):
        rng = random.Random(number)
        sentences = []
        for frame in frames * 10:
            tagged = []
            for word in frame.split():
                found = {"PER": people, "LOC": places}.get(word)
                parts = rng.choice(found).split() if found else [word]
                tags = [f"{'I' if part else 'B'}-{word}" for part in range(len(parts))] if found else ["O"]
                tagged += [f"{part} {tag}" for part, tag in zip(parts, tags, strict=True)]
            sentences.append("\n".join(tagged))
        (folder / "names" / f"{split}.conll").write_text("\n\n".join(sentences) + "\n", encoding="utf-8")


def write_topics() -> None:
    """The files of the tutorial on few labels, by its own lines."""
    blocks = read_page((ROOT / "docs/tutorials/few-labels.md").read_text(encoding="utf-8"))
    exec(next(block.text for block in blocks if block.kind == "python"), {})


SHOWN = [(page, block) for page in PAGES for block in recipes_of(page)]


def test_recipes_are_found():
    assert {page.name for page, _ in SHOWN} >= {"README.md", "your-own-files.md", "own-file.md", "train.md"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "block"), [pytest.param(*each, id=f"{each[0].stem}:{each[1].line}") for each in SHOWN]
)
def test_a_recipe_learns(page, block, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.yaml").write_text(block.text, encoding="utf-8")
    write_names(tmp_path)
    write_tickets(tmp_path, ".tsv" if page.name == "your-own-files.md" else ".jsonl")
    if page.stem == "few-labels":
        write_topics()
    changes = HERE | SIZES.get(page.name, {})
    if yaml.safe_load(block.text)["data"]["source"] == "xtreme":
        changes |= {"data.dir": str(request.getfixturevalue("benchmark_data"))}
    if "evaluate" in yaml.safe_load(block.text) and page.name == "your-own-files.md":
        changes |= {"evaluate.languages": ["sw"]}
    with shown(page, f"recipe-{block.line}"):
        results = run(Recipe.load("recipe.yaml", changes), tmp_path / "run")
        assert results["phases"]
        worries = {phase["phase"]: phase["remarks"] for phase in results["phases"]}
        assert not [line for lines in worries.values() for line in lines if "nothing was learned" in line], worries
