import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent


def test_every_dependency_has_its_licence_on_the_page():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for_users = [extra for extra in extras if extra not in {"dev", "docs", "release"}]
    texts = [*project["dependencies"], *(text for extra in for_users for text in extras[extra])]
    wanted = {canonicalize_name(Requirement(text).name) for text in texts} - {"lowres-stilts"}
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\S+) \| (.+) \| (\w+) \|$", page, flags=re.MULTILINE)
    assert wanted <= {name for name, _, _ in rows}
    assert not [name for name, licence, _ in rows if licence == "not declared"]
