"""The committed results of the small studies are those of the committed study files, and the page shows them."""

import subprocess
import sys

import pytest
import yaml

from lowres_stilts.study.load import dump_study, load_study
from tests.conftest import ROOT
from tests.study.test_reports import NAMES

OF_A_PLACE = ["recipe.data.dir=data", "report.samples=0"]


def _settings(text):
    found = yaml.safe_load(text)
    found["recipe"]["data"]["dir"] = "data"
    return found


def test_the_page_is_up_to_date():
    subprocess.run([sys.executable, ROOT / "scripts" / "study_pages.py", "--check"], check=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_study_was_run_as_its_file_says(name):
    study, _ = load_study(ROOT / "configs" / "studies" / f"{name}-small.yaml", OF_A_PLACE)
    committed = (ROOT / "docs" / "studies" / name / "study.yaml").read_text(encoding="utf-8")
    assert _settings(committed) == _settings(dump_study(study))
