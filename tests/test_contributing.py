import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
GROUPS = {
    "tasks": "lowres_stilts.tasks.catalog:REGISTRY",
    "families": "lowres_stilts.tasks.families:DECODERS",
    "metrics": "lowres_stilts.evaluation.metrics:METRICS",
    "kinds": "lowres_stilts.pipeline.kinds:KINDS",
    "transfer_modes": "lowres_stilts.pipeline.modes:MODES",
}


def test_every_file_that_it_names_is_there():
    named = re.findall(r"`((?:src|tests|docs)/[\w./]+|\w+\.(?:py|toml))`", TEXT)
    assert len(named) > 20
    assert not [path for path in named if not (ROOT / path).exists()]


@pytest.mark.parametrize("group", GROUPS)
def test_every_entry_point_is_one_of_a_registry(group):
    assert f"`lowres_stilts.{group}`" in TEXT
    module, _, name = GROUPS[group].partition(":")
    assert getattr(import_module(module), name)._group == group
