"""Interrupts of long commands, in processes of their own: the handler of signals is the whole process's."""

import signal
import subprocess
import sys

import pytest

WITHIN = """
import time, typer
from lowres_stilts.cli.interrupt import interruptible

class Callback:
    def __del__(self):
        {raises}

app = typer.Typer()

@app.command()
def main():
    with interruptible():
        Callback()
        time.sleep({seconds})
        print("ended")

app()
"""


@pytest.mark.parametrize(
    ("raises", "seconds", "code", "output", "errors"),
    [
        ("raise KeyboardInterrupt", 30, 130, "", "stopped; go on with --resume"),
        ("raise ValueError('of a callback')", 0, 0, "ended\n", "ValueError: of a callback"),
        ("pass", 0, 0, "ended\n", ""),
    ],
)
def test_interrupt_that_python_drops_comes_again(raises, seconds, code, output, errors):
    done = subprocess.run(
        [sys.executable, "-c", WITHIN.format(raises=raises, seconds=seconds)],
        check=False,
        capture_output=True,
        text=True,
        timeout=25,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's & ignores it
    )
    assert (done.returncode, done.stdout) == (code, output), done.stderr
    assert done.stderr.rstrip().endswith(errors)
