"""What somebody meets who has just installed it."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from lowres_stilts.cli.app import NAME, app
from lowres_stilts.recipe import Recipe
from tests.commands import call, command

ROOT = Path(__file__).parents[2]
SLOW_TO_IMPORT = {"numpy", "onnxruntime", "pydantic", "rich", "tokenizers", "torch", "yaml"}


def _commands(group, name: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for word, inner in group.commands.items():
        if hasattr(inner, "commands"):
            yield from _commands(inner, (*name, word))
        else:
            yield (*name, word)


COMMANDS = list(_commands(get_command(app)))


def test_all_commands_are_looked_at():
    assert {("run",), ("hub", "push"), ("data", "check"), ("serve",), ("new",)} <= set(COMMANDS)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_has_an_example_that_is_a_line_of_its_own(words):
    shown = get_command(app)
    for word in words:
        shown = shown.commands[word]
    example = (shown.help or "").splitlines()[-1]
    assert example.startswith(f"Example: {NAME} {' '.join(words)} ")


def test_alone_it_says_what_to_do():
    done = call()
    assert done.returncode == 0
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("  lowres-stilts ")] == [
        "doctor",
        "new",
        "run",
        "export",
        "serve",
    ]
    assert "--help" in done.stdout


def test_usage_names_the_command_however_it_is_called():
    assert call("run", "--help").stdout.startswith("Usage: lowres-stilts run ")
    assert "Usage: lowres-stilts run " in call("run").stderr


def test_a_new_recipe_is_that_of_the_quickstart(tmp_path):
    path = tmp_path / "mine.yaml"
    done = call("new", path)
    assert done.returncode == 0, done.stderr
    assert f"lowres-stilts run {path}" in done.stdout
    assert path.read_bytes() == (ROOT / "configs" / "quickstart.yaml").read_bytes()
    assert Recipe.load(path).name == "quickstart"
    again = call("new", path)
    assert again.returncode == 2
    assert again.stderr == f"error: {path} exists already; name another file\n"


def test_help_imports_nothing_slow():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command("--help")[1:]], capture_output=True, text=True, check=True
    )
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert {"lowres_stilts", "typer"} <= imported
    assert not imported & SLOW_TO_IMPORT


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_options(shell):
    def completed(*words: str) -> str:
        line = " ".join((NAME, *words))
        environment = {
            **os.environ,
            "_LOWRES_STILTS_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words)),
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        }
        return call(env=environment).stdout

    assert "study" in completed("stu")
    assert "score" not in completed("stu")
    assert "--resume" in completed("run", "--re")


def test_shells_get_a_script_of_their_own():
    # Without it, the shell is the one that the tests were started from, which may be none that typer knows.
    environment = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    script = call("--show-completion", "bash", env=environment).stdout
    assert "_LOWRES_STILTS_COMPLETE=complete_bash" in script.replace("\\\n", " ")


COLOURS = re.compile(r"\x1b\[(?:3[0-8]|4[0-8]|9[0-7])[;m]")
PROGRESS = """
from lowres_stilts.display import Display
with Display().work("training") as advance:
    advance(1, 2, "loss 0.5")
"""


def test_colours_are_for_terminals_that_want_them():
    code = [sys.executable, "-c", PROGRESS]
    assert COLOURS.search(_in_a_terminal(code, TERM="xterm-256color"))
    plain = _in_a_terminal(code, TERM="xterm-256color", NO_COLOR="1")
    assert "training" in plain
    assert not COLOURS.search(plain)
    elsewhere = subprocess.run(code, capture_output=True, text=True, check=True).stderr
    assert "\x1b" not in elsewhere


def _in_a_terminal(code: list[str], **environment: str) -> str:
    """What a command writes to a terminal."""
    own = {key: value for key, value in os.environ.items() if key not in {"NO_COLOR", "FORCE_COLOR", "TERM"}}
    leader, follower = pty.openpty()
    with subprocess.Popen(code, stdout=follower, stderr=follower, env=own | environment):
        os.close(follower)
        written = b""
        while True:
            try:
                written += (piece := os.read(leader, 4096))
            except OSError:  # the other end is closed
                break
            if not piece:
                break
    os.close(leader)
    return written.decode()
