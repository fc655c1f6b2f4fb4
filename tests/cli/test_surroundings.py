"""Paths that are not UTF-8, and folders that cannot be written: one line, before any work."""

import os
import subprocess
import sys

import pytest

from lowres_stilts.api import run
from lowres_stilts.errors import UsageError
from lowres_stilts.hub.verify import open_package
from lowres_stilts.runtime import Bundle
from lowres_stilts.study.folder import open_study
from tests.commands import ask, command
from tests.project import write_project

ODD = os.fsdecode(b"mod\xe8le")
REFUSED = r"mod\xe8le: not UTF-8, and libraries cannot open such paths; rename it, or choose another"
FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
from lowres_stilts.storage import scratch_folder
from lowres_stilts.errors import RunError
try:
    with scratch_folder() as scratch:
        (scratch / "weights.bin").write_bytes(bytes(60_000))
except RunError as error:
    print(error)
"""


@pytest.mark.parametrize(
    "words",
    [
        ("run", ODD),
        ("run", "recipe.yaml", "-o", ODD),
        ("plan", ODD),
        ("study", "study.yaml", "-o", ODD),
        ("report", ODD),
        ("evaluate", ODD),
        ("evaluate", "run", "--data", ODD),
        ("export", ODD, "-o", "bundle"),
        ("export", "run", "-o", ODD),
        ("data", "check", ODD),
        ("new", ODD),
        ("score", "--benchmark", "xtreme", "--predictions", ODD, "--references", "labels"),
        ("serve", ODD),
        ("key", "alice", "--file", ODD),
        ("hub", "verify", ODD),
        ("hub", "show", ODD),
        ("hub", "push", "-y", ODD, "me/ner"),
        ("hub", "pull", "me/ner", "-o", ODD),
    ],
    ids=" ".join,
)
def test_every_command_refuses_a_path_that_is_not_utf8(words):
    done = ask(*words)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {REFUSED}\n")


def test_a_process_refuses_it_as_it_gets_it():
    words = [os.fsencode(word) for word in command("run", "recipe.yaml", "-o")]
    done = subprocess.run([*words, b"mod\xe8le"], capture_output=True, check=False)
    assert (done.returncode, done.stderr.decode()) == (2, f"error: {REFUSED}\n")


def test_python_refuses_it_before_anything_is_trained(tmp_path, tiny_model, private_cache):
    recipe = write_project(tmp_path / "project", tiny_model, examples=12)
    study = open_study(tmp_path / ODD, "", resume=False)
    for attempt in (
        lambda: run(recipe, tmp_path / ODD, quiet=True),
        lambda: Bundle.load(tmp_path / ODD),
        lambda: open_package(tmp_path / ODD),
        study.__enter__,
    ):
        with pytest.raises(UsageError, match=r"mod\\xe8le: not UTF-8"):
            attempt()
    assert not (tmp_path / ODD).exists()
    assert not (private_cache / "features").exists()


def test_scratch_that_is_full_says_what_to_set(tmp_path):
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", FULL], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        f"cannot write {tmp_path}: File too large; free some space there, or set TMPDIR to a folder with room "
        "that can be written\n"
    )


def test_a_folder_that_cannot_be_written_is_named_before_training(tmp_path, tiny_model, private_cache):
    recipe = write_project(tmp_path / "project", tiny_model, examples=12)
    (tmp_path / "file").touch()
    done = ask("run", recipe, "-o", tmp_path / "file" / "run")
    assert done.returncode == 1
    assert done.stderr.endswith(f"error: {tmp_path}/file is a file; a folder is wanted\n")
    assert not (private_cache / "features").exists()


@pytest.mark.parametrize("name", ["a/b", "../../x", "täglich"])
def test_a_run_without_o_stays_below_runs(name, tmp_path, tiny_model, private_cache, monkeypatch):
    recipe = write_project(tmp_path / "project", tiny_model, examples=12, name=name, target__task="pairs")
    monkeypatch.chdir(tmp_path)
    changes = ["intermediate=null", "target={task: pairs, transfer: none}", "evaluate.languages=[sw]"]
    done = ask("run", recipe, *(word for change in changes for word in ("--set", change)))
    assert done.returncode == 0, done.stderr
    (made,) = (tmp_path / "runs").iterdir()
    assert (made / "results.json").exists()
