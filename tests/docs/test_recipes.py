"""Every recipe that a page shows whole learns: English dev is clear of chance after each phase."""

import json
from pathlib import Path

import pytest
import yaml

from lowres_stilts.pipeline import run
from lowres_stilts.recipe import Recipe
from tests.conftest import ROOT
from tests.docs.pages import Block, read_page

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
        "intermediate.train.limit": 1500,
        "intermediate.train.dev_limit": 100,
        "target.train.limit": 600,
        "target.train.dev_limit": 100,
    },
    "your-own-files.md": {"evaluate.languages": ["sw"]},
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
    write_tickets(tmp_path, ".tsv" if page.name == "your-own-files.md" else ".jsonl")
    changes = HERE | SIZES.get(page.name, {})
    if yaml.safe_load(block.text)["data"]["source"] == "xtreme":
        changes |= {"data.dir": str(request.getfixturevalue("benchmark_data"))}
    results = run(Recipe.load("recipe.yaml", changes), tmp_path / "run")
    assert results["phases"]
    worries = {phase["phase"]: phase["remarks"] for phase in results["phases"]}
    assert not [line for lines in worries.values() for line in lines if "nothing was learned" in line], worries
