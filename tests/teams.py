"""Several processes that train together, in the environment that a launcher gives them."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

from tests.forks import Forked

Member = Forked | subprocess.Popen[str]


def interpreter(*arguments: object, env: Mapping[str, str]) -> subprocess.Popen[str]:
    """Starts Python; `Forked` has the libraries already."""
    command = [sys.executable, *map(str, arguments)]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def start_team(
    arguments: Sequence[object], start: Callable[..., Member] = interpreter, size: int = 2
) -> list[Member]:
    """Starts Python with the same arguments in so many processes; the first is main."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = os.environ | {
        "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    return [start(*arguments, env=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)}) for rank in range(size)]


def end_of(team: Sequence[Member]) -> list[tuple[int, str, str]]:
    """Exit code, standard output and standard error of each process, once all have ended."""
    told = [process.communicate() for process in team]
    return [(process.returncode, *texts) for process, texts in zip(team, told, strict=True)]


def lines_of(ended: Sequence[tuple[int, str, str]]) -> list[str]:
    """What all processes said on standard error together."""
    return [line for _, _, errors in ended for line in errors.splitlines()]
