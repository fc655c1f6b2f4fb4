"""Forks of the tests' server are processes like others."""

import os
import signal
import subprocess
import sys

import pytest

from tests.commands import command
from tests.forks import IMPORTED, Forked, call_forked

FAULTY = "def broken():\n    raise ValueError('no')\nbroken()"
ENDS = {
    "nothing": ("pass", 0),
    "a number": ("import sys; sys.exit(3)", 3),
    "words": ("import sys; sys.exit('no more')", 1),
    "an exception": (FAULTY, 1),
    "exit handlers": ("import atexit; atexit.register(print, 'at the end'); print('before')", 0),
    "threads": ("import threading, time; threading.Timer(0.1, lambda: print('after')).start()", 0),
    "an interrupt": ("raise KeyboardInterrupt", -signal.SIGINT),
    "a signal": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    "at once": ("import os; print('lost', end=''); os._exit(5)", 5),
    "what it is": ("import sys, os; print(__name__, sys.argv, os.getcwd(), sys.stdout.isatty())", 0),
    "variables": ("import os; print(sorted(os.environ.items()))", 0),
}


@pytest.mark.parametrize(("code", "ended"), ENDS.values(), ids=ENDS)
def test_a_fork_ends_as_an_interpreter_does(code, ended):
    alone = subprocess.run(
        [sys.executable, "-c", code, "word"],
        env=dict(os.environ),  # without what libraries have set behind Python's back
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's & ignores it
    )
    process = Forked("-c", code, "word")
    out, err = process.communicate()
    assert (process.returncode, out) == (alone.returncode, alone.stdout) == (ended, out)
    assert err.splitlines()[-1:] == alone.stderr.splitlines()[-1:]


@pytest.mark.parametrize("words", [["--version"], ["run", "nothing.yaml"], ["run", "--help"]], ids=" ".join)
def test_a_command_says_what_it_says_alone(words):
    alone = subprocess.run(command(*words), capture_output=True, text=True, check=False)
    done = call_forked(*words)
    assert (done.returncode, done.stdout, done.stderr) == (alone.returncode, alone.stdout, alone.stderr)


def test_signals_reach_it():
    waiting = "import time\nprint('there', flush=True)\ntime.sleep(100)"
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        with Forked("-c", waiting) as process:
            assert process.poll() is None
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.5)
            process.send_signal(number)
            assert process.wait(20) == process.poll() == -number
            assert process.communicate()[0] == "there\n"


def test_a_limit_holds_for_it_alone(tmp_path):
    code = f"import pathlib; pathlib.Path({str(tmp_path / 'large')!r}).write_bytes(bytes(2000))"
    limited, free = Forked("-c", code, file_limit=1000), Forked("-c", code)
    assert limited.communicate()[1].endswith("OSError: [Errno 27] File too large\n")
    assert (limited.returncode, free.wait()) == (1, 0)


def test_variables_are_its_own(monkeypatch):
    code = "import os; print(os.environ.get('MINE'), os.environ.get('HOME'))"
    monkeypatch.setenv("MINE", "given")
    assert Forked("-c", code).communicate()[0] == f"given {os.environ.get('HOME')}\n"
    assert Forked("-c", code, env={"MINE": "other"}).communicate()[0] == "other None\n"


def test_it_has_the_libraries_and_no_thread_of_python():
    code = f"import sys, threading; print({set(IMPORTED)} <= set(sys.modules), threading.active_count())"
    assert Forked("-c", code).communicate()[0] == "True 1\n"
