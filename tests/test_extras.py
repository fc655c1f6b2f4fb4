import re
from pathlib import Path

import pytest

from lowres_stilts import extras
from lowres_stilts.errors import MissingExtraError
from lowres_stilts.extras import install_command, naming_extras

ROOT = Path(__file__).parents[1]


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """As if the package lay among the installed ones."""
    monkeypatch.setattr(extras, "__file__", str(tmp_path / "site-packages" / "lowres_stilts" / "extras.py"))


def test_a_missing_library_names_its_extra():
    message = re.escape(f"torch is not installed: {install_command('train')} brings it")
    with pytest.raises(MissingExtraError, match=message), naming_extras():
        raise ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")


def test_a_clone_is_installed_as_one(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    assert install_command("train") == "pip install -e '.[train]'"
    monkeypatch.chdir(tmp_path)
    assert install_command("serve") == f"pip install -e '{ROOT}[serve]'"


def test_elsewhere_an_extra_is_the_packages(installed):
    assert install_command("train") == "pip install 'lowres-stilts[train]'"


def test_a_missing_library_of_no_extra_stays_as_it_is():
    with pytest.raises(ModuleNotFoundError, match="surprise"), naming_extras():
        raise ModuleNotFoundError("No module named 'surprise'", name="surprise")
