"""Who does the steps: processes of this machine, or a Ray cluster. Results are the same."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import BaseContext
from typing import TYPE_CHECKING, Any, Protocol

from lowres_stilts.errors import RunError
from lowres_stilts.extras import install_command
from lowres_stilts.study.ray_shelf import RayShelf
from lowres_stilts.study.work import Order, Outcome, perform
from lowres_stilts.tasks.cache import features_from

if TYPE_CHECKING:
    from multiprocessing.queues import Queue

RETRIES = 3
"""How often a step is begun again when its worker dies; it goes on from its last checkpoint."""


class Engine(Protocol):
    """Takes orders and tells how they ended."""

    workers: int

    def submit(self, order: Order) -> None:
        """Begins a step, at once or when a worker is free."""

    def wait(self) -> list[Outcome]:
        """Outcomes of steps that have ended; blocks until there is one."""

    def close(self) -> None:
        """Ends the workers."""


def gpus() -> int:
    """CUDA devices of this machine."""
    import torch  # noqa: PLC0415 - seconds

    return torch.cuda.device_count()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalEngine:
    """One process for each GPU; without any, one for each core, of one thread."""

    def __init__(self, workers: int | None = None) -> None:
        self._gpus = gpus()
        self.workers = workers or self._gpus or cores()
        self._pool = self._start()
        self._running: dict[Future[Outcome], Order] = {}
        self._deaths: dict[str, int] = {}

    def submit(self, order: Order) -> None:
        """Begins a step when a process is free."""
        try:
            self._running[self._pool.submit(perform, order)] = order
        except BrokenProcessPool:
            self._pool = self._start()
            self._running[self._pool.submit(perform, order)] = order

    def wait(self) -> list[Outcome]:
        """Outcomes of steps that have ended; what was under way when a process died is begun again."""
        outcomes: list[Outcome] = []
        while not outcomes:
            done, _ = wait(self._running, return_when=FIRST_COMPLETED)
            orders = [(future, self._running.pop(future)) for future in done]
            outcomes += [o for future, order in orders if (o := self._ended(future, order)) is not None]
        return outcomes

    def close(self) -> None:
        """Ends the processes, in the middle of a step too."""
        processes = list(getattr(self._pool, "_processes", None) or {})
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            if process.pid in processes:
                process.terminate()

    def _ended(self, future: Future[Outcome], order: Order) -> Outcome | None:
        try:
            return future.result()
        except BrokenProcessPool:
            self._deaths[order.key] = self._deaths.get(order.key, 0) + 1
            if self._deaths[order.key] > RETRIES:
                return Outcome(order.key, f"its process died {RETRIES + 1} times, perhaps for lack of memory")
            self.submit(order)
            return None

    def _start(self) -> ProcessPoolExecutor:
        # CUDA and the libraries of macOS are not safe to fork.
        spawns = self._gpus or sys.platform in {"darwin", "win32"}
        context = multiprocessing.get_context("spawn") if spawns else _forking()
        devices: Queue[int] = context.Queue()
        for number in range(self.workers):
            devices.put(number % self._gpus if self._gpus else -1)
        return ProcessPoolExecutor(self.workers, context, initializer=_begin, initargs=(dict(os.environ), devices))


def _forking() -> BaseContext:
    """Makes forks of a server that imports the libraries once, which takes seconds; they begin at once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lowres_stilts.study.preload"])
    # Workers asked for while it imports would come to nothing, and say so, after an interrupt.
    first = context.Process(target=os.getpid)
    first.start()
    first.join()
    return context


def _begin(environment: Mapping[str, str], devices: "Queue[int]") -> None:
    """Sets up a process: the study's variables, its GPU, and an end when the study has ended."""
    os.environ.clear()  # a server that was started for an earlier study has that one's
    os.environ.update(environment)
    device = devices.get()
    if device >= 0:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(device)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the study itself is interrupted, and ends its processes
    threading.Thread(target=_end_with_study, daemon=True).start()
    quiet_worker()


def quiet_worker() -> None:
    """Keeps the chatter of libraries off the terminal."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    import logging  # noqa: PLC0415

    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def _end_with_study() -> None:
    study = multiprocessing.parent_process()
    if study is not None:
        study.join()
        os._exit(1)


class RayEngine:
    """A Ray cluster: the one that `RAY_ADDRESS` names, or one of this machine alone.

    GPUs are resources: a step takes one where the cluster has any, else a core. The study folder must be on a disk
    that all machines of the cluster share. Each has a cache of its own, and features that one of them tokenized
    are given to the others through Ray's object store.
    """

    def __init__(self, workers: int | None = None) -> None:
        try:
            import ray  # noqa: PLC0415 - an extra
        except ImportError:
            raise RunError(f"--engine ray needs Ray: {install_command('study')}") from None
        self._ray: Any = ray
        address = os.environ.get("RAY_ADDRESS")
        own: Mapping[str, Any] = {} if address else {"num_cpus": workers or cores()}
        self._ours = not ray.is_initialized()
        if self._ours:
            os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
            ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level="error", **own)
        resources = ray.cluster_resources()
        has_gpus = resources.get("GPU", 0) > 0
        self.workers = workers or int(resources.get("GPU" if has_gpus else "CPU", 1))
        needs = {"num_cpus": 1, "num_gpus": 1} if has_gpus else {"num_cpus": 1}
        self._do = ray.remote(max_retries=RETRIES, **needs)(_perform_quietly)
        self._shelf = RayShelf.start()
        self._running: dict[Any, Order] = {}

    def submit(self, order: Order) -> None:
        """Begins a step when Ray has room; one whose worker dies is begun again by Ray."""
        self._running[self._do.remote(order, self._shelf)] = order

    def wait(self) -> list[Outcome]:
        """Outcomes of steps that have ended."""
        done, _ = self._ray.wait(list(self._running), num_returns=1)
        return [self._ended(reference, self._running.pop(reference)) for reference in done]

    def close(self) -> None:
        """Leaves the cluster, and ends it where it is this study's own."""
        for reference in self._running:
            self._ray.cancel(reference, force=True)
        if self._ours:
            self._ray.shutdown()

    def _ended(self, reference: Any, order: Order) -> Outcome:
        try:
            outcome: Outcome = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            first = " ".join(str(error).split())[:300]
            return Outcome(order.key, f"its worker died {RETRIES + 1} times: {first}")
        return outcome


def _perform_quietly(order: Order, shelf: RayShelf) -> Outcome:
    quiet_worker()
    with features_from(shelf):
        return perform(order)


ENGINES: Mapping[str, Callable[[int | None], Engine]] = {"local": LocalEngine, "ray": RayEngine}
