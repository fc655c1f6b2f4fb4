"""The files of the playground, without a browser."""

import json
import re
from html.parser import HTMLParser

import pytest

from lowres_stilts.tasks.catalog import REGISTRY
from tests.conftest import ROOT

FOLDER = ROOT / "src" / "lowres_stilts" / "serving" / "playground"
EXAMPLES = json.loads((FOLDER / "examples.json").read_text(encoding="utf-8"))
KINDS = {
    "nli": {"text", "pair"},
    "paraphrase": {"text", "pair"},
    "tagging": {"text"},
    "qa": {"question", "context"},
    "multiple_choice": {"prompt", "choices"},
    "retrieval": {"query"},
}


class Markup(HTMLParser):
    """Scripts and styles that stand in the page itself, and addresses that it names."""

    def __init__(self) -> None:
        super().__init__()
        self.inline: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)
        self.addresses += [given[name] for name in ("src", "href") if name in given]


def test_the_page_names_only_files_that_are_there_and_has_nothing_inline():
    found = Markup()
    found.feed((FOLDER / "index.html").read_text(encoding="utf-8"))
    assert found.inline == []
    files = [address.removeprefix("/playground/") for address in found.addresses if "/playground/" in address]
    assert files
    assert all((FOLDER / name).is_file() for name in files)
    assert all(address.startswith(("/", "#")) for address in found.addresses)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.js")), ids=lambda path: path.name)
def test_scripts_never_read_text_as_html(path):
    source = path.read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", source)
    assert all((FOLDER / name).is_file() for name in re.findall(r'from "\./(.+?)"', source))
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", source)


def test_there_are_examples_of_every_family_in_many_languages():
    codes = [language["code"] for language in EXAMPLES["languages"]]
    assert len(set(codes)) >= 15
    assert {"ar", "fa", "he", "qu", "sw", "ur", "yo"} <= set(codes)
    assert list(EXAMPLES["examples"]) == codes
    for own in EXAMPLES["examples"].values():
        assert set(own) == set(KINDS)
        for kind, items in own.items():
            assert len(items) >= 2
            assert all(set(item) == KINDS[kind] and all(item.values()) for item in items)


def test_the_tasks_that_the_page_takes_for_pairs_are_pairs():
    source = (FOLDER / "families.js").read_text(encoding="utf-8")
    named = json.loads(re.search(r"PARAPHRASE = (\[.*?\])", source)[1])
    assert {task for task in named if len(REGISTRY[task].fields) == 2} == set(named)
    for task in REGISTRY.values():
        if task.family == "classification" and "entailment" in task.labels:
            assert len(task.fields) == 2, task.name
