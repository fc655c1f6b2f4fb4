"""Pages that passed as they are do not run again, and all others do."""

import json

import pytest

from tests.conftest import ROOT
from tests.docs import shown as module
from tests.docs.shown import RECORD, fingerprint, records, shown


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A project with one page and one source."""
    for name in ("src/lowres_stilts", "configs", "tests/docs", "docs"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "src" / "lowres_stilts" / "a.py").write_text("x = 1\n")
    (tmp_path / "docs" / "page.md").write_text("shown\n")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "RECORDS", tmp_path / "tests" / "docs" / "shown.json")
    (tmp_path / "tests" / "docs" / "shown.json").write_text("{}")
    monkeypatch.setenv(RECORD, "1")
    return tmp_path


def ran(house):
    with shown(house / "docs" / "page.md", "short"):
        return True


@pytest.mark.parametrize(
    "changed", ["docs/page.md", "src/lowres_stilts/a.py", "configs/new.yaml", "pyproject.toml"]
)
def test_a_page_runs_again_when_it_or_a_source_has_changed(house, changed):
    assert ran(house)
    with pytest.raises(pytest.skip.Exception):
        ran(house)
    (house / changed).write_text("y = 2\n")
    assert ran(house)


def test_what_fails_or_is_not_to_be_recorded_is_not(house, monkeypatch):
    with pytest.raises(ValueError, match="wrong"), shown(house / "docs" / "page.md", "short"):
        raise ValueError("wrong")
    assert records() == {}
    monkeypatch.delenv(RECORD)
    assert ran(house)
    assert records() == {}


def test_parts_of_a_page_are_recorded_apart(house):
    assert ran(house)
    with shown(house / "docs" / "page.md", "whole"):
        pass
    assert list(records()) == ["docs/page.md short", "docs/page.md whole"]
    assert len({*records().values()}) == 1


def test_what_is_recorded_is_of_pages_that_are_there():
    for key in json.loads((ROOT / "tests" / "docs" / "shown.json").read_text()):
        assert (ROOT / key.split()[0]).is_file()
    assert len(fingerprint(ROOT / "README.md")) == 64
