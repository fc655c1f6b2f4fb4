"""Every command of the tutorials, in order, and what it prints."""

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
import transformers

from tests.conftest import ROOT
from tests.docs.data import write_sib200
from tests.docs.pages import NEVER, RUN, follow, read_page, reader
from tests.docs.shown import shown
from tests.hub_repo_server import WRITER, hub_serving
from tests.hub_server import serving

TUTORIALS = ROOT / "docs" / "tutorials"
PAGES = sorted(path.stem for path in TUTORIALS.glob("*.md"))
LONG = {"cluster", "export-and-serve", "few-labels", "reproduce", "stack-and-merge"}
"""Pages that are run whole or not at all."""
SHORT = sorted(set(PAGES) - LONG)
"""Pages that make sense without the blocks that say that they take minutes."""
MINUTES = {"own-file", "share", "train"}
"""Even so they take minutes."""
NO_HUB = "http://127.0.0.1:9"
ON_THE_SITE = "https://huggingface.co"
LARGE = {
    "vocab_size": 250_002,
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
}
"""XLM-R large."""


@contextmanager
def hub_of(page: str, folder: Path) -> Iterator[str]:
    """The endpoint that takes the Hub's place for a page."""
    if page == "train":
        write_sib200(folder / "hub")
        with serving(folder / "hub") as endpoint:
            yield endpoint
    elif page in {"share", "reproduce"}:
        with hub_serving() as hub:
            config = transformers.XLMRobertaConfig(**LARGE).to_json_string().encode()
            hub.repository("FacebookAI/xlm-roberta-large", {"config.json": config})
            yield hub.endpoint
    else:
        yield NO_HUB


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def walk(page: str, folder: Path, *, long: bool, data: Path | None = None) -> int:
    """Follows a page in a new folder, and returns how many blocks ran."""
    place = folder / "reader"
    place.mkdir()
    links = [("configs", ROOT / "configs"), ("adapters", ROOT / "adapters"), *([("data", data)] if data else [])]
    with hub_of(page, folder) as endpoint:
        environment = {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "home"), "HF_HUB_DISABLE_TELEMETRY": "1"}
        environment |= {"HF_TOKEN": WRITER} if page == "share" else {}
        swaps = {"8000": free_port(), ON_THE_SITE: endpoint}
        with reader(place, links, environment) as shell:
            return follow(TUTORIALS / f"{page}.md", shell, long=long, swaps=swaps)


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=pytest.mark.slow if page in MINUTES else ()) for page in SHORT]
)
def test_a_tutorial_does_what_it_shows(page, tmp_path):
    # One real recipe is trained from its start to its end whatever has changed.
    with nullcontext() if page == "own-file" else shown(TUTORIALS / f"{page}.md", "short"):
        assert walk(page, tmp_path, long=False) > 0 or page == "index"


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted(LONG - {"reproduce"} | {"train"}))
def test_a_tutorial_does_what_it_shows_whole(page, tmp_path):
    with shown(TUTORIALS / f"{page}.md", "whole"):
        assert walk(page, tmp_path, long=True) > 0


@pytest.mark.slow
@pytest.mark.benchmark_data
def test_the_paper_is_planned_and_rehearsed(benchmark_data, tmp_path):
    with shown(TUTORIALS / "reproduce.md", "whole"):
        assert walk("reproduce", tmp_path, long=True, data=benchmark_data) > 0


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_run_shown_or_says_why_not(page):
    text = (TUTORIALS / f"{page}.md").read_text(encoding="utf-8")
    blocks = read_page(text)
    assert text.count("```") == 2 * len(blocks), "a fence that the tests cannot read: indented, or open"
    for block in blocks:
        assert block.kind in {*RUN, "text", "json", "yaml"}
        if block.kind in RUN and block.title:
            assert block.title == "A few minutes" or len(block.title) > len(NEVER), block


def test_the_tools_of_the_pages_are_there():
    assert [
        name for name in ("bash", "curl", "paste", "diff") if shutil.which(name, path=os.environ["PATH"]) is None
    ] == []
