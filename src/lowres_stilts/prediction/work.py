"""From rows to a file of answers, a stretch at a time, so that memory stays flat and a kill costs one stretch."""

import json
import os
import shutil
import struct
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, Self

from lowres_stilts.display import Display
from lowres_stilts.errors import DataError, UsageError
from lowres_stilts.prediction.answerers import Answerer
from lowres_stilts.prediction.outputs import Writer, confidence_of, writer_of
from lowres_stilts.prediction.questions import question_of
from lowres_stilts.prediction.rows import Format, Row, read_rows
from lowres_stilts.storage import locked, storage_errors, write_file, write_json
from lowres_stilts.sums import sha256_of

STRETCH = 512
"""Rows that are answered together, those of like length in one batch."""
STREAMED = 64
"""The same of standard input, whose answers somebody may wait for."""
ENTRY = struct.Struct("<d?q")
"""Of a row that is done: the confidence of its answer, whether it is written, and where the row's piece ends."""
Piece = tuple[str, float, bool]
BLANK = float("inf")
"""How sure it is that there is no answer where nothing was asked: such rows are nothing to look at."""
PART = ".part"
"""How the folder of a file that is not finished ends."""


@dataclass(frozen=True)
class Order:
    """What is to be answered, and how it is written."""

    path: Path
    kind: Format
    output: str = "jsonl"
    columns: Mapping[str, str] | None = None
    """The file's names of our columns, where it has others."""
    threshold: float | None = None
    """Answers less likely than this are left out."""
    least_sure_first: bool = False


@dataclass(frozen=True)
class Done:
    """What came of it."""

    rows: int
    left_out: int
    """Rows without an answer: blank ones, and those below the threshold."""
    seconds: float


def answer_stream(order: Order, rows: Iterable[Row], answerer: Answerer, out: IO[str]) -> None:
    """Writes answers as rows come.

    Args:
        order: what is wanted; its path is not read.
        rows: to answer.
        answerer: who answers.
        out: where to write.

    Raises:
        DataError: a row is malformed.
    """
    several = iter(rows)
    first = next(several, None)
    writer = _writer(order, answerer, first)
    out.write(writer.head)
    between = ""
    for stretch in _stretches(chain([first] if first else [], several), STREAMED):
        for piece, _, _ in _answered(order, stretch, answerer, writer):
            out.write(between + piece)
            between = writer.between
        out.flush()
    out.write(writer.tail)


def answer_file(
    order: Order,
    answerer: Answerer,
    output: Path,
    *,
    resume: bool = False,
    display: Display | None = None,
    stretch: int = STRETCH,
) -> Done:
    """Writes the answers to a file, which is there when it is whole.

    Every row is looked at before the first is answered. What is done lies in a folder beside the file meanwhile.

    Args:
        order: what is wanted.
        answerer: who answers.
        output: the file, which is not there yet.
        resume: go on where a killed process stopped; the file is then the same as without that.
        display: shows progress; on standard error by default.
        stretch: rows that are answered together; as many when it is gone on with.

    Raises:
        DataError: a row is malformed, or has no column that is wanted.
        UsageError: something is there already, or what was begun is of something else.
        RunError: it cannot be written, or another process writes it.
    """
    started, shown = time.monotonic(), display or Display()
    first, count = _looked_at(order, answerer)
    writer = _writer(order, answerer, first)
    with _Ledger.opened(output.with_name(output.name + PART), _key(order, answerer), resume=resume) as ledger:
        before = ledger.take_up(count, stretch)
        with shown.work(f"{answerer.part.name}:") as advance:
            for rows in _stretches(islice(read_rows(order.path, order.kind), before, None), stretch):
                ledger.add(_answered(order, rows, answerer, writer))
                rate = (ledger.rows - before) / (time.monotonic() - started)
                advance(ledger.rows, count, f"{rate:,.0f} rows/s")
        ledger.finish(output, writer, least_sure_first=order.least_sure_first)
        return Done(ledger.rows, ledger.left_out, time.monotonic() - started)


def _looked_at(order: Order, answerer: Answerer) -> tuple[Row | None, int]:
    """The first row, and how many there are, all of them sound."""
    first, count = None, 0
    for row in read_rows(order.path, order.kind):
        question_of(row, answerer.part, order.columns or {})
        first = first or row
        count += 1
    return first, count


def _writer(order: Order, answerer: Answerer, first: Row | None) -> Writer:
    return writer_of(order.output, answerer.part, order.columns or {}, answerer.version, first)


def _stretches(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    several = iter(rows)
    while stretch := list(islice(several, size)):
        yield stretch


def _answered(order: Order, stretch: Sequence[Row], answerer: Answerer, writer: Writer) -> Iterator[Piece]:
    """What is written for each row, how sure its answer is, and whether that is written."""
    asked = [question_of(row, answerer.part, order.columns or {}) for row in stretch]
    answers = iter(answerer.answers([one for one in asked if one is not None]))
    for row, one in zip(stretch, asked, strict=True):
        if one is None:
            yield writer.piece(row, None), BLANK, False
            continue
        answer = next(answers)
        sure = confidence_of(answer)
        written = order.threshold is None or sure >= order.threshold
        yield writer.piece(row, answer if written else None), sure, written


def _key(order: Order, answerer: Answerer) -> dict[str, Any]:
    """What decides the content of the file."""
    wanted = asdict(order) | {"path": sha256_of(order.path), "adapter": answerer.part.name}
    return {**wanted, "columns": dict(order.columns or {}), "version": answerer.version}


class _Ledger:
    """Pieces of a file that is not finished, and an entry for each, in a folder beside it.

    A piece is on disk before its entry is, so that entries tell how far the pieces are whole.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pieces, self._entries = folder / "pieces", folder / "entries"
        self.rows = self.left_out = 0

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, key: Mapping[str, Any], *, resume: bool) -> Iterator[Self]:
        """Begins one, or goes on with the one that is there; it is removed when it is finished or goes wrong.

        Raises:
            UsageError: there is one and `resume` is not set, or it is of something else.
            RunError: another process has it, or it cannot be written.
        """
        begun = folder / "order.json"
        if begun.exists() and not resume:
            raise UsageError(f"{folder} has answers that were begun; go on with --resume, or remove it")
        try:
            with locked(folder), storage_errors(folder):
                if begun.exists() and (other := _difference(json.loads(begun.read_text()), key)):
                    raise UsageError(f"{folder} was begun with another {other}; remove it, or name another output")
                write_json(begun, key)
                yield cls(folder)
        except DataError:
            shutil.rmtree(folder)
            raise

    def take_up(self, count: int, stretch: int) -> int:
        """How many rows are done, in whole stretches or all of `count`; what is behind them is cut off."""
        for path in (self._pieces, self._entries):
            path.touch()
        done = self._entries.stat().st_size // ENTRY.size
        self.rows = done if done == count else done - done % stretch
        os.truncate(self._entries, self.rows * ENTRY.size)
        entries = list(self._read())
        os.truncate(self._pieces, entries[-1][2] if entries else 0)
        self.left_out = sum(not written for _, written, _ in entries)
        return self.rows

    def add(self, pieces: Iterable[Piece]) -> None:
        """Keeps the pieces of a stretch."""
        end, entries = self._pieces.stat().st_size, []
        with self._pieces.open("ab") as handle:
            for text, sure, written in pieces:
                end += handle.write(text.encode())
                entries.append(ENTRY.pack(sure, written, end))
                self.left_out += not written
            _settle(handle)
        with self._entries.open("ab") as handle:
            handle.write(b"".join(entries))
            _settle(handle)
        self.rows += len(entries)

    def finish(self, output: Path, writer: Writer, *, least_sure_first: bool) -> None:
        """Puts the pieces together and takes the folder away."""
        spans, start = [], 0
        for sure, _, end in self._read():
            spans.append((sure, start, end))
            start = end
        if least_sure_first:
            spans.sort(key=lambda span: span[0])
        write_file(output, lambda temporary: self._join(temporary, writer, spans))
        shutil.rmtree(self._folder)

    def _join(self, path: Path, writer: Writer, spans: Sequence[tuple[float, int, int]]) -> None:
        with self._pieces.open("rb") as pieces, path.open("wb") as out:
            out.write(writer.head.encode())
            for number, (_, start, end) in enumerate(spans):
                pieces.seek(start)
                out.write((writer.between.encode() if number else b"") + pieces.read(end - start))
            out.write(writer.tail.encode())

    def _read(self) -> Iterator[tuple[float, bool, int]]:
        with self._entries.open("rb") as handle:
            while entry := handle.read(ENTRY.size):
                yield ENTRY.unpack(entry)


def _settle(handle: IO[bytes]) -> None:
    handle.flush()
    os.fsync(handle.fileno())


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first thing that is not as it was, or nothing."""
    names = {"path": "input", "version": "adapter", "least_sure_first": "sort", "kind": "input format"}
    return next((names.get(name, name) for name in now if before.get(name) != now[name]), "")
