"""Generated requests over the OpenAPI document: no answer that it does not describe."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lowres_stilts.serving.keys import add_key
from tests.serving.service import service

CONFIG = """
[checks.positive_data_acceptance]
# What a schema cannot say: too many tokens, and more than fits.
expected-statuses = ["2xx", 404, 413, 429]
[checks.negative_data_rejection]
expected-statuses = [400, 404, 405, 413, 415, 422, 429]
"""


def exercise(url: str, folder: Path, examples: int, *more: str) -> int:
    """Lets schemathesis' command line send cases to every operation; how many."""
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG)
    tool = Path(sys.executable).with_name("schemathesis")
    done = subprocess.run(
        [tool, "--config-file", config, "run", f"{url}/openapi.json", f"--max-examples={examples}", *more],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "tests.serving.schemathesis_hooks",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    found = re.search(r"(\d+) generated", done.stdout)
    assert found, done.stdout
    return int(found[1])


def test_no_generated_request_gets_an_undescribed_answer(plain, tmp_path):
    assert exercise(plain.url, tmp_path, 10, "--seed=1") >= 500
    assert plain.process.poll() is None


def test_a_violation_would_be_found(plain, tmp_path):
    """The same tool over the same service fails where the document promises something else."""
    document = plain.get("/openapi.json").text
    (tmp_path / "wrong.json").write_text(document.replace('"const":"ok"', '"const":"fine"'))
    with pytest.raises(AssertionError, match="Response violates schema"):
        exercise_file(plain.url, tmp_path)


def exercise_file(url: str, folder: Path) -> None:
    tool = Path(sys.executable).with_name("schemathesis")
    done = subprocess.run(
        [tool, "run", folder / "wrong.json", f"--url={url}", "--include-path=/health"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_keys_and_admin_routes_too(plain_bundle, tmp_path):
    key = add_key(tmp_path / "keys.yaml", "alice")
    keys = str(tmp_path / "keys.yaml")
    with service(plain_bundle, keys=keys, admin_keys=keys) as running:
        more = ["--header", f"Authorization: Bearer {key}", "--exclude-checks=positive_data_acceptance"]
        assert exercise(running.url, tmp_path, 40, *more) >= 500
        assert not [line for line in running.lines() if line["level"] == "error"]


@pytest.mark.slow
def test_five_thousand_generated_requests(plain, tmp_path):
    assert exercise(plain.url, tmp_path, 450) >= 5000
    assert not [line for line in plain.lines() if line["level"] == "error"]
