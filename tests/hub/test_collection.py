"""The packages that are committed in adapters/."""

import pytest
import yaml

from lowres_stilts.encoder.starter import starter_model_dir
from lowres_stilts.hub.card import model_card
from lowres_stilts.hub.verify import open_package
from tests.commands import call
from tests.conftest import ROOT
from tests.hub.test_card import answer_of, run_lines

PACKAGES = sorted(path.parent for path in (ROOT / "adapters").glob("*/stilts.json"))
LARGEST = 3_000_000
STACKED = 2


def test_there_are_at_least_six_and_two_of_them_are_stacked():
    manifests = [open_package(folder).manifest for folder in PACKAGES]
    assert len(manifests) >= 6
    assert sum(bool(manifest.stack) for manifest in manifests) >= STACKED


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda folder: folder.name)
def test_a_package_is_sound_small_and_has_its_card(folder):
    package = open_package(folder)
    assert package.manifest.name == folder.name
    assert package.manifest.rank <= 16
    assert sum(file.stat().st_size for file in folder.iterdir()) <= LARGEST
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card == model_card(package.manifest)
    assert {"base_model", "library_name", "language", "license", "tags"} <= set(
        yaml.safe_load(card.split("---\n")[1])
    )


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda folder: folder.name)
def test_the_lines_of_the_card_print_what_it_says(folder):
    card = (folder / "README.md").read_text(encoding="utf-8")
    base = f'"{open_package(folder).manifest.base.id}"'
    _, said = run_lines(folder, card.replace(base, repr(str(starter_model_dir()))))
    assert said == answer_of(card)


@pytest.mark.slow
@pytest.mark.benchmark_data
@pytest.mark.parametrize(
    "folder", [path for path in PACKAGES if "multitask" not in path.name], ids=lambda p: p.name
)
def test_the_scores_of_the_card_are_measured_again(folder, benchmark_data):
    done = call("hub", "verify", folder, "--scores", "--data", benchmark_data)
    assert done.returncode == 0, done.stderr
    assert "outside the interval" not in done.stdout
