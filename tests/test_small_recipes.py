"""Every small XTREME recipe, whole, on the published files: minutes each."""

import json

import pytest

from tests.conftest import ROOT
from tests.project import call

LEAST = {"xnli": 34, "pawsx": 50, "panx": 35, "udpos": 40, "xcopa": 49, "tatoeba": 60}
"""Points of the baseline's mean over languages without English: well above what a broken run gives."""


@pytest.mark.slow
@pytest.mark.benchmark_data
@pytest.mark.parametrize("task", LEAST)
def test_a_small_recipe_ends_with_sane_scores_in_every_language(task, benchmark_data, tmp_path):
    recipe = ROOT / "configs" / "xtreme" / f"{task}-small.yaml"
    done = call("run", recipe, "--set", f"data.dir={benchmark_data}", "-o", tmp_path / "run", "--json")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert results["mean_without_english"][task]["baseline"]["value"] > LEAST[task]
    assert len(results["scores"][task]) >= 7
