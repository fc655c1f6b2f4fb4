"""What is run on a GPU when there is one runs here on the CPU, so that it is whole when it is needed."""

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

PARTS = ("machine", "truth", "counts", "memory", "speed", "recipe")


@pytest.mark.slow
def test_every_part_of_the_gpu_benchmark_ends_on_a_cpu(tmp_path):
    report = tmp_path / "gpu.json"
    options = ["--device", "cpu", "--quick", "--together", "--parts", ",".join(PARTS), "--json", str(report)]
    done = subprocess.run(
        [sys.executable, "benchmarks/gpu.py", *options],
        cwd=ROOT,
        env=os.environ | {"LOWRES_STILTS_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    parts = json.loads(report.read_text())["parts"]
    assert list(parts) == list(PARTS)
    assert all(part["findings"] for part in parts.values())
    assert {finding["arm"] for finding in parts["speed"]["findings"] if "arm" in finding} >= {
        "pipeline",
        "plain_qlora",
    }
    assert all(finding["loss_apart"] == 0 for finding in parts["truth"]["findings"])
