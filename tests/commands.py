"""The command line: in a process of its own, or in this one."""

import contextlib
import io
import subprocess
import sys
from typing import Any
from unittest.mock import patch

from lowres_stilts.cli import main


def command(*arguments: object) -> list[str]:
    """The command line as a process of its own would call it."""
    return [sys.executable, "-m", "lowres_stilts", *map(str, arguments)]


def call(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end in a process of its own, which imports torch anew."""
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False, **options)


def ask(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end in this process: for what it does and says, not for what it imports."""
    words = ["lowres-stilts", *map(str, arguments)]
    with (
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
        patch.object(sys, "argv", words),
    ):
        code: Any = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())
