"""What a person sees while long work goes on: a progress bar on a terminal, a few lines elsewhere."""

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES = 10.0


def tell_waiting(text: str) -> None:
    """A line on standard error for a person who waits; nothing where it is no terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{text}\n")


class Advance(Protocol):
    """Tells how far the work is."""

    def __call__(self, done: int, steps: int, note: str = "") -> None:
        """`done` of so many `steps`; `note` stands behind the bar."""


class Display:
    """Shows progress on standard error, which leaves standard output to results."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True, quiet=quiet)

    def line(self, text: str) -> None:
        """A line of its own."""
        self._console.print(text, markup=False)

    @contextlib.contextmanager
    def work(self, title: str) -> Iterator[Advance]:
        """Shows one piece of work."""
        if self._console.is_terminal and not self._console.quiet:
            with self._bar() as progress:
                task = progress.add_task(title, total=None, note="")
                yield lambda done, steps, note="": progress.update(task, completed=done, total=steps, note=note)
        else:
            yield self._lines(title)

    def _bar(self) -> Progress:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
        )
        return Progress(*columns, console=self._console)

    def _lines(self, title: str) -> Advance:
        last = time.monotonic()

        def advance(done: int, steps: int, note: str = "") -> None:
            nonlocal last
            if done >= steps or time.monotonic() - last > SECONDS_BETWEEN_LINES:
                last = time.monotonic()
                self.line(f"{title} {done}/{steps} {note}".rstrip())

        return advance
