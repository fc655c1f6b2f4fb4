"""Every small XTREME recipe, whole, on the published files: minutes each."""

import json

import pytest

from tests.commands import call
from tests.conftest import ROOT

LEAST = {
    "xnli": 34,
    "pawsx": 57,
    "panx": 35,
    "udpos": 40,
    "xquad": 10,
    "mlqa": 8,
    "tydiqa": 10,
    "xcopa": 47,
    "tatoeba": 60,
    "bucc2018": 80,
    "multitask": 10,
}
"""Points of the baseline's mean over languages without English: well above what a broken run gives."""


@pytest.mark.slow
@pytest.mark.benchmark_data
@pytest.mark.parametrize("name", LEAST)
def test_a_small_recipe_ends_with_sane_scores_in_every_language(name, benchmark_data, tmp_path):
    recipe = ROOT / "configs" / "xtreme" / f"{name}-small.yaml"
    done = call("run", recipe, "--set", f"data.dir={benchmark_data}", "-o", tmp_path / "run", "--json")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    task = results["recipe"]["target"]["task"]
    assert results["mean_without_english"][task]["baseline"]["value"] > LEAST[name]
    assert len(results["scores"][task]) >= (1 if task == "bucc2018" else 5)
