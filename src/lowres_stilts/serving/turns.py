"""Work in steps, of many requests, in a few threads that take turns: none waits for the end of another's."""

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from lowres_stilts.text.slices import Steps

TURN_SECONDS = 0.005
"""After which it is the next one's turn."""


@dataclass(frozen=True, eq=False)
class Work:
    """What is done in turns."""

    steps: Steps[Any]
    is_over: Callable[[], bool]
    """Whether nobody wants the result any more."""
    done: Callable[[Any], None]
    """Takes the result, in the thread of the last turn."""
    failed: Callable[[Exception], None]
    """Takes what a step, or `done`, raises."""


class Turns:
    """Threads that take turns; tokenizers let go of the interpreter's lock, so that several make sense.

    Args:
        threads: how many.
        name: of the threads.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(threads, name)

    def add(self, work: Work) -> None:
        """Its turn comes after those that wait."""
        with contextlib.suppress(RuntimeError):  # the threads are ending
            self._pool.submit(self._turn, work)

    def close(self) -> None:
        """Ends the threads; what is not through is left."""
        self._pool.shutdown(cancel_futures=True)

    def _turn(self, work: Work) -> None:
        ends = time.monotonic() + TURN_SECONDS
        try:
            while not work.is_over():
                next(work.steps)
                if time.monotonic() > ends:
                    self.add(work)
                    return
        except StopIteration as end:
            self._finish(work, end.value)
        except Exception as error:
            work.failed(error)

    def _finish(self, work: Work, result: Any) -> None:
        try:
            work.done(result)
        except Exception as error:
            work.failed(error)
