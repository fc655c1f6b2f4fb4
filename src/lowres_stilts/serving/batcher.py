"""From requests to batches and back: bounded, fair, and running whenever the network is free."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from lowres_stilts.errors import LowresStiltsError
from lowres_stilts.runtime import Bundle
from lowres_stilts.runtime.adapters import Adapter
from lowres_stilts.runtime.network import Row
from lowres_stilts.serving.admission import Admission, Demand
from lowres_stilts.serving.problems import FAILED, UNAVAILABLE, Refusal
from lowres_stilts.serving.schedule import Piece, Schedule
from lowres_stilts.serving.settings import Queue
from lowres_stilts.serving.turns import Turns, Work
from lowres_stilts.serving.work import Corrections, Estimate, Speed
from lowres_stilts.text.slices import Steps

Kind = Literal["scores", "embeddings", "token vectors"]
TOKENIZING = 2
"""Threads that cut texts into tokens."""
ALL_IN_ONE = 1 << 62
"""The batch is made already."""
UNKNOWN = Estimate()


class Observer(Protocol):
    """Who counts what runs."""

    def ran(self, rows: Sequence[Row], seconds: float) -> None:
        """A batch is through."""
        ...


class Group(NamedTuple):
    """What can share a run."""

    bundle: Bundle
    kind: Kind
    alone: Adapter | None = None
    """An adapter with a graph of its own."""


@dataclass(eq=False)
class Job:
    """The sequences of a request."""

    group: Group
    client: str
    estimate: Estimate
    demand: Demand
    """What is still to be done for it."""
    deadline: float
    """On the clock of `time.monotonic`."""
    answer: asyncio.Future[list[NDArray[np.float32]]]
    rows: Sequence[Row] = ()
    results: list[Any] = field(default_factory=list)
    missing: int = 0
    is_over: bool = False
    """It has its answer, or nobody waits for it any more."""


class Batcher:
    """Runs the sequences of many requests together.

    Texts are cut into tokens in a small pool of threads, batches run in threads of their own (onnxruntime lets go
    of the interpreter's lock), and all counting is done on the event loop. A batch is made when the network is
    free, of what is waiting then: a lone request never waits for others.
    """

    def __init__(self, queue: Queue, observer: Observer, full_batch_seconds: float = 0.0) -> None:
        self._queue = queue
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._tokenizing = Turns(TOKENIZING, "tokenize")
        self._schedule = Schedule(queue.tokens_per_run, queue.least_fill)
        self._changed = threading.Condition()
        self._stopping = False
        self._speed = Speed(queue.tokens_per_run, full_batch_seconds)
        self._corrections = Corrections()
        self._last_finish = 0.0
        self.admission = Admission(queue, self._speed.seconds)
        self.last_answer = time.monotonic()
        self._runners = [
            threading.Thread(target=self._run_batches, name=f"run-{number}", daemon=True)
            for number in range(queue.runs)
        ]
        for runner in self._runners:
            runner.start()

    @property
    def sequences(self) -> int:
        """Accepted and not answered."""
        return self.admission.total.sequences

    @property
    def waiting(self) -> int:
        """Sequences that no run has taken yet."""
        with self._changed:
            return len(self._schedule)

    @property
    def is_stuck(self) -> bool:
        """Whether requests wait and none was answered for longer than they may take."""
        late = time.monotonic() - self.last_answer > 2 * self._queue.deadline_seconds
        return not all(runner.is_alive() for runner in self._runners) or (self.sequences > 0 and late)

    @property
    def expected_wait(self) -> float:
        """Seconds until what is accepted now would be answered."""
        return self._speed.seconds(self.admission.total.tokens)

    async def ask(
        self,
        group: Group,
        client: str,
        prepare: Callable[[], Steps[Sequence[Row]]],
        demand: Demand,
        estimate: Estimate = UNKNOWN,
    ) -> tuple[Sequence[Row], list[NDArray[np.float32]]]:
        """The sequences of a request and what the network says of each, in order.

        When the caller is cancelled, what was not run yet is never run.

        Args:
            group: the bundle, and what is asked of it.
            client: who asks; clients take turns.
            prepare: cuts the texts into tokens, in other threads and in turns with other requests.
            demand: what it asks for, but for tokens.
            estimate: of the tokens that the network will get.

        Raises:
            Refusal: there is no room, or no answer within the deadline.
            LowresStiltsError: what `prepare` raises.
        """
        demand = demand._replace(tokens=self._corrections.tokens(estimate))
        self.admission.require_room(client, demand)
        if not self.sequences:
            self.last_answer = time.monotonic()
        seconds = self._queue.deadline_seconds
        started = time.monotonic()
        job = Job(group, client, estimate, demand, started + seconds, self._loop.create_future())
        self.admission.add(client, demand)
        try:
            enqueue, fail = partial(self._enqueue, job), partial(self._tell, self._fail, job)
            self._tokenizing.add(Work(prepare(), lambda: job.is_over, enqueue, fail))
            async with asyncio.timeout(seconds):
                results = await job.answer
        except TimeoutError:
            message = f"no answer within {seconds:g} seconds; try again later, or with less text"
            raise Refusal(UNAVAILABLE, message, self.expected_wait, "Overloaded") from None
        finally:
            job.is_over = True
            self.admission.add(client, job.demand, -1)
        return job.rows, results

    def close(self) -> None:
        """Ends its threads; what is waiting gets no answer."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._tokenizing.close()
        for runner in self._runners:
            runner.join()

    def _enqueue(self, job: Job, rows: Sequence[Row]) -> None:
        """Its texts are cut into tokens."""
        job.rows = rows
        job.missing = len(rows)
        job.results = [None] * len(job.rows)
        if not job.rows:
            self._tell(self._finish, job)
            return
        self._tell(self._weigh, job)
        pieces = [Piece(job, number, len(row.ids), _group(job, row)) for number, row in enumerate(job.rows)]
        with self._changed:
            self._schedule.add(job.client, pieces)
            self._changed.notify()

    def _weigh(self, job: Job) -> None:
        """Counts the tokens that there are instead of those that were expected."""
        tokens = sum(len(row.ids) for row in job.rows)
        self._corrections.learn(job.estimate, tokens)
        self._spend(job, job.demand.tokens - tokens)

    def _spend(self, job: Job, tokens: int) -> None:
        """So many tokens less are to be done for a request."""
        if not job.is_over:
            spent = Demand(tokens=tokens)
            job.demand = job.demand.plus(spent, -1)
            self.admission.add(job.client, spent, -1)

    def _run_batches(self) -> None:
        while (taken := self._next_batch())[0]:
            batch, left = taken
            started = time.monotonic()
            try:
                done = self._run(batch)
            except Exception as error:
                done = [error] * len(batch)
            if not any(isinstance(result, Exception) for result in done):
                self._tell(self._learn_speed, batch, left, started, time.monotonic())
            self._tell(self._deliver, batch, done)

    def _next_batch(self) -> tuple[list[Piece], int]:
        """What runs now, and the tokens that are left."""
        with self._changed:
            while not self._stopping:
                if batch := self._schedule.take(_is_wanted):
                    return batch, self._schedule.tokens
                self._changed.wait()
        return [], 0

    def _run(self, batch: list[Piece]) -> list[Any]:
        """What the network says of each, or the error that it raises over it."""
        started = time.monotonic()
        try:
            found = _through_network(batch)
        except LowresStiltsError as error:
            if len(batch) == 1:
                return [error]
            # The fault may be one row's: the others shall not suffer for it.
            return [self._run([piece])[0] for piece in batch]
        self._observer.ran([_row(piece) for piece in batch], time.monotonic() - started)
        return found

    def _tell(self, what: Callable[..., None], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(what, *arguments)
        except RuntimeError:  # the loop is closed, and with it every connection
            self._stopping = True

    def _deliver(self, batch: list[Piece], done: list[Any]) -> None:
        self.last_answer = time.monotonic()
        for piece, result in zip(batch, done, strict=True):
            job: Job = piece.owner
            self._spend(job, piece.length)
            if isinstance(result, Exception):
                self._fail(job, result)
                continue
            job.results[piece.number] = result
            job.missing -= 1
            if not job.missing:
                self._finish(job)

    def _finish(self, job: Job) -> None:
        if not job.answer.done():
            job.answer.set_result(job.results)

    def _learn_speed(self, batch: list[Piece], left: int, started: float, ended: float) -> None:
        """Time in which another batch was through as well counts for that one."""
        seconds = max(0.0, ended - max(started, self._last_finish))
        self._last_finish = max(self._last_finish, ended)
        self._speed.learn(sum(piece.length for piece in batch), seconds, left)

    def _fail(self, job: Job, error: Exception) -> None:
        job.is_over = True
        if not job.answer.done():
            known = isinstance(error, Refusal | LowresStiltsError)
            job.answer.set_exception(error if known else Refusal(FAILED, "the request failed here; it is logged"))
            if not known:
                self._loop.call_exception_handler({"message": "a batch failed", "exception": error})


def _is_wanted(piece: Piece) -> bool:
    job: Job = piece.owner
    return not job.is_over and time.monotonic() < job.deadline


def _group(job: Job, row: Row) -> Group:
    has_own = row.adapter is not None and row.adapter.own is not None
    return job.group._replace(alone=row.adapter) if has_own else job.group


def _row(piece: Piece) -> Row:
    job: Job = piece.owner
    return job.rows[piece.number]


def _through_network(batch: list[Piece]) -> list[Any]:
    group: Group = batch[0].group
    rows = [_row(piece) for piece in batch]
    network = group.bundle.network
    if group.kind == "scores":
        return list(network.scores(rows, ALL_IN_ONE))
    settings = group.bundle.manifest.embedding
    if group.kind == "token vectors":
        return network.token_vectors(rows, settings, ALL_IN_ONE)
    return list(network.pooled(rows, settings, ALL_IN_ONE))
