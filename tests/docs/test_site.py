"""The docs themselves: links, the strict build, and what pages say of the code."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|(?:src|href|srcset)=\"([^\"]+)\"")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
MADE = {"docs/notebook.md", "docs/reference/commands.md"}
"""Pages that exist on the site only: docs/site makes them."""
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "benchmarks" / "RESULTS.md",
                 ROOT / "export" / "README.md", ROOT / "adapters" / "README.md"]
)  # fmt: skip
LARGEST_PICTURE = 300_000
HOUSE = re.compile(r"^\| ((?:`\w+`(?:, )?)+) \|", re.MULTILINE)


def anchors(path: Path) -> set[str]:
    text = FENCED.sub("", path.read_text(encoding="utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in HEADING.findall(text)
    }


def is_outside(link: str) -> bool:
    return link.startswith(("http://", "https://", "mailto:"))


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_lead_somewhere(page):
    text = FENCED.sub("", (ROOT / page).read_text(encoding="utf-8"))
    broken = []
    for found in LINK.finditer(text):
        link = found[1] or found[2]
        name, _, anchor = link.partition("#")
        target = ((ROOT / page).parent / name).resolve() if name else ROOT / page
        if is_outside(link) or (target.is_relative_to(ROOT) and target.relative_to(ROOT).as_posix() in MADE):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_pictures_are_few_small_and_used():
    texts = "".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
    pictures = [path for path in (ROOT / "docs" / "images").iterdir() if path.is_file()]
    assert len(pictures) <= 12
    for picture in pictures:
        assert picture.stat().st_size <= LARGEST_PICTURE, picture
        assert picture.name in texts, picture


def test_the_rooms_are_those_of_the_contract_in_their_order():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = [own for own in settings["tool"]["importlinter"]["contracts"] if own["type"] == "layers"]
    layers = [sorted(re.findall(r"lowres_stilts\.(\w+)", layer)) for layer in contract["layers"]]
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    assert [sorted(re.findall(r"`(\w+)`", row)) for row in HOUSE.findall(text)] == layers


def test_the_first_table_is_the_measured_one():
    measured = (ROOT / "docs" / "xtreme-small.md").read_text(encoding="utf-8")
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[\w+\]\(xtreme-small\.md#\w+\) .*$", text, re.MULTILINE)
    assert len(rows) == len(re.findall(r"^\| \[\w+\]\(#\w+\) .*$", measured, re.MULTILINE)) > 5
    assert [row for row in rows if row.replace("xtreme-small.md#", "#") not in measured] == []


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_is_built_strictly_and_fetches_nothing_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    loaded = re.compile(r"<(?:script|img|iframe)[^>]* src=\"(https?:[^\"]+)\"|<link[^>]* href=\"(https?:[^\"]+)\"")
    outside = {
        link for page in pages for found in loaded.findall(page.read_text(encoding="utf-8")) for link in found
    }
    assert outside - {""} == set()


def test_references_are_written_from_the_code(site):
    python = (site / "reference" / "python.html").read_text(encoding="utf-8")
    assert all(f'id="lowres_stilts.{name}"' in python for name in ("run", "Run", "runtime.Bundle"))
    recipe = (site / "reference" / "recipe.html").read_text(encoding="utf-8")
    assert "tokens_per_batch" in recipe
    assert "Most tokens of a batch, padding counted in." in recipe
    commands = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    assert all(f'id="lowres-stilts-{name}"' in commands for name in ("run", "hub-push", "data-check"))
