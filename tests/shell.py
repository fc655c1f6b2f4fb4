"""Commands one after the other in a process with variables of its own.

It imports torch once; `huggingface_hub` settles on the endpoint and Python on its path when a process starts.
"""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Self

from tests.commands import ask

CRASHED = 99


def hub_environment(endpoint: str, home: Path, token: str | None = None, **more: str) -> dict[str, str]:
    """Variables of a process that knows no Hub but this one."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    own = {"HF_HOME": str(home), "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_TELEMETRY": "1"}
    return inherited | own | ({"HF_TOKEN": token} if token else {}) | more


class Shell:
    """Runs commands, importing the libraries once."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.shell"],
            cwd=Path(__file__).parent.parent,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: object, token: str | None = None) -> "CompletedProcess[str]":
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([[str(argument) for argument in arguments], token]) + "\n")
        self.process.stdin.flush()
        code, out, err = json.loads(self.process.stdout.readline())
        return CompletedProcess(arguments, code, out, err)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate(timeout=20)


def run(arguments: list[str], token: str | None) -> tuple[int, str, str]:
    os.environ.pop("HF_TOKEN", None)
    if token:
        os.environ["HF_TOKEN"] = token
    try:
        done = ask(*arguments)
    except BaseException:
        return CRASHED, "", traceback.format_exc()
    return done.returncode, done.stdout, done.stderr


if __name__ == "__main__":
    for line in sys.stdin:
        answer = json.dumps(run(*json.loads(line)))
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()
