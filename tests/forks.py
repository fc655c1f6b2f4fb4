"""Python processes that have the libraries already: forks of a server that imported them once for all tests.

Torch, transformers, PEFT, bitsandbytes and adapters take a process eight seconds of a core to import. A fork is a
process like another: it has variables, standard files, limits and signals of its own, runs `-m MODULE` or
`-c CODE` in `__main__`, and ends as the interpreter ends, with its exit code, traceback and exit handlers.

These tests start an interpreter of their own (`tests.commands.call`, `tests.shell` or `subprocess`), since they
are about what happens before or while libraries are imported:

- what is imported at all, and `-X importtime`: `cli/test_app`, `cli/test_first_minute`, `test_api`,
  `data/test_hub`, `hub/test_shared_bundles`, a missing extra;
- variables that libraries read then (`HF_HOME`, `HF_ENDPOINT`, `HF_HUB_OFFLINE`, `TORCH_CPP_LOG_LEVEL`): `hub`,
  `test_caches`, `pipeline/test_unloadable`, `pipeline/test_team`, `encoder/test_starter`;
- the search path of the interpreter: `test_plugins`;
- a home that is missing: `test_home`;
- what a user or a launcher types: `cli/test_first_minute`, `cli/test_surroundings`, `docs`, and slow recipes.

Those of `serving`, `runtime`, `data` and `test_storage` need none of these libraries.

`OMP_NUM_THREADS` and `PYTHONHASHSEED` are the server's. Not multiprocessing's `forkserver`: its processes share
that server with those they start in turn, get no standard files, and end without exit handlers.
"""

import contextlib
import gc
import importlib
import json
import os
import resource
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any, Self

ADDRESS = "LOWRES_STILTS_FORKS"
"""The variable that tells the processes of a test run where the server listens."""
IMPORTED = (
    "torch",
    "transformers",
    "peft",
    "bitsandbytes",
    "adapters",
    "datasets",
    "matplotlib.pyplot",
    "lowres_stilts.cli",
    "lowres_stilts.hub.pack",
    "lowres_stilts.pipeline.arms",
    "lowres_stilts.study.run",
)
"""None starts a thread that a fork would miss, as onnxruntime does."""
NUMBER = struct.Struct("i")


class Forked:
    """`python ARGUMENTS` in a fork; used as `subprocess.Popen` is, with standard output and error as text."""

    def __init__(
        self, *arguments: object, env: Mapping[str, str] | None = None, file_limit: int | None = None
    ) -> None:
        self.args = [str(argument) for argument in arguments]
        self.returncode: int | None = None
        self._said = "", ""
        order = [self.args, dict(os.environ if env is None else env), str(Path.cwd()), file_limit]
        # Files, not pipes: nobody needs to read them meanwhile.
        self._written = TemporaryFile("a+b"), TemporaryFile("a+b")  # noqa: SIM115
        self._server = socket.socket(socket.AF_UNIX)
        self._server.connect(os.environ[ADDRESS])
        with Path(os.devnull).open("rb") as nothing:
            files = [file.fileno() for file in (nothing, *self._written)]
            socket.send_fds(self._server, [b"."], files)
            self._server.sendall(json.dumps(order).encode() + b"\n")
            self.pid = self._number()

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, or minus the number of the signal that killed it."""
        if self.returncode is None:
            if not select.select([self._server], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = self._number()
            self._server.close()
            self._said = _content(self._written[0]), _content(self._written[1])
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Standard output and error once it has ended."""
        self.wait(timeout)
        return self._said

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()

    def _number(self) -> int:
        number: int = NUMBER.unpack(self._server.recv(NUMBER.size))[0]
        return number


def _content(written: IO[bytes]) -> str:
    with written:
        written.seek(0)
        return written.read().decode()


def forked(*arguments: object, **options: Any) -> Forked:
    """A command that runs in a fork."""
    return Forked("-m", "lowres_stilts", *arguments, **options)


def call_forked(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end in a fork."""
    with forked(*arguments, **options) as process:
        out, err = process.communicate()
    return subprocess.CompletedProcess(process.args, process.wait(), out, err)


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """The address of a server, which imports nothing before the first fork is asked for."""
    with TemporaryDirectory() as folder:
        address = Path(folder) / "forks"
        # Not as __main__: there, Python 3.12 warns of forks beside the idle thread of pyarrow's allocator.
        code = "import sys; from tests.forks import serve; serve(sys.argv[1])()"
        with subprocess.Popen(
            [sys.executable, "-c", code, address], cwd=Path(__file__).parent.parent, stdin=subprocess.PIPE
        ):  # it ends when its standard input does
            while not address.exists():
                time.sleep(0.01)
            yield str(address)


def serve(address: str) -> Callable[[], None]:
    """Forks whenever it is asked to; returns what to do, in the forks, and in the server when it is to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            client = listener.accept()[0]
            _import_once()
            _forget_ended()
            with client:
                if os.fork() == 0:
                    listener.close()
                    return _kept(client)
    return lambda: None


def _import_once() -> None:
    if "torch" in sys.modules:
        return
    from lowres_stilts.libraries import quiet_libraries

    quiet_libraries()
    for name in IMPORTED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # pages that it would write to are copied in every fork


def _forget_ended() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _kept(client: socket.socket) -> Callable[[], None]:
    """In a process that waits for another: forks that, and says its number and how it ended."""
    files = socket.recv_fds(client, 1, 3)[1]
    with client.makefile("rb") as lines:
        arguments, environment, folder, file_limit = json.loads(lines.readline())
    pid = os.fork()
    if pid == 0:
        client.close()
        _take(files, environment, folder, file_limit)
        return lambda: _run(arguments)
    with contextlib.suppress(OSError):  # the test has gone
        client.sendall(NUMBER.pack(pid))
        client.sendall(NUMBER.pack(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))
    os._exit(0)


def _take(files: list[int], environment: Mapping[str, str], folder: str, file_limit: int | None) -> None:
    for standard, file in enumerate(files):
        os.dup2(file, standard)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[0] = folder
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))


def _run(arguments: list[str]) -> None:
    """As the interpreter does with these arguments."""
    kind, what, *words = arguments
    sys.argv = [kind, *words]
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        exec(what, vars(sys.modules["__main__"]))
