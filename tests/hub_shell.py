"""The command line in a process of its own: `huggingface_hub` settles on the endpoint when imported."""

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from subprocess import CompletedProcess

from tests.commands import ask

CRASHED = 99


def environment(endpoint: str, home: Path, token: str | None = None, **more: str) -> dict[str, str]:
    """Variables of a process that knows no Hub but this one."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    own = {"HF_HOME": str(home), "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_TELEMETRY": "1"}
    return inherited | own | ({"HF_TOKEN": token} if token else {}) | more


class Shell:
    """Runs commands one after the other, importing the libraries once."""

    def __init__(self, endpoint: str, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.hub_shell"],
            cwd=Path(__file__).parent.parent,
            env=environment(endpoint, home),
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

    def close(self) -> None:
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
