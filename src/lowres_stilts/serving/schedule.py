"""Which of the waiting sequences run next: fair between clients, and of like length."""

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

AHEAD = 128
"""Sequences that are looked at for one batch."""
REMEMBERED = 4096
"""Clients without waiting sequences, of whom it is known what they had."""
OVERTAKING = 4
"""Batches in which a client's newer sequences may run before its oldest one, which fits worse."""


@dataclass(frozen=True, eq=False, slots=True)
class Piece:
    """A waiting sequence."""

    owner: Any
    """Whose answer it is part of."""
    number: int
    """Which part."""
    length: int
    """Tokens."""
    group: Any
    """Only sequences of the same group can share a batch."""


@dataclass(eq=False, slots=True)
class Line:
    """A client's waiting sequences."""

    had: float
    """Tokens that it has had, on the clock of the schedule."""
    pieces: deque[Piece] = field(default_factory=deque)
    tokens: int = 0
    """Of the waiting sequences."""
    overtaken: int = 0
    """Batches in which newer ones ran before the oldest."""


class Schedule:
    """Waiting sequences by client.

    Fair queueing (Demers, Keshav and Shenker 1989) with batches as packets: the clock shows how many tokens each
    client would have had if all ran side by side, and the client comes first that would be the first to have all
    that it waits for, or a whole batch. So whoever waits for little is in the next batch, whoever waits for much
    gets an equal share, and nobody waits for another client's backlog. A batch begins with its client's oldest
    sequence; what fills it is close to that in length, so that little is padding. Not safe to use from several
    threads.
    """

    def __init__(self, tokens: int, least_fill: float) -> None:
        self._tokens = tokens
        self._least_fill = least_fill
        self._lines: dict[str, Line] = {}
        self._away: dict[str, float] = {}
        self._clock = 0.0

    def __len__(self) -> int:
        return sum(len(line.pieces) for line in self._lines.values())

    @property
    def tokens(self) -> int:
        """That are waiting."""
        return sum(line.tokens for line in self._lines.values())

    def add(self, client: str, pieces: Sequence[Piece]) -> None:
        """Puts sequences at the end of a client's own line."""
        if not pieces:
            return
        if client not in self._lines:
            # Whoever was away has no credit for that time, and no less than it had.
            self._lines[client] = Line(max(self._clock, self._away.pop(client, 0.0)))
        line = self._lines[client]
        line.pieces.extend(pieces)
        line.tokens += sum(piece.length for piece in pieces)

    def take(self, is_wanted: Callable[[Piece], bool]) -> list[Piece]:
        """The next batch, empty where nothing is waiting.

        Args:
            is_wanted: whether somebody is still waiting for it; others are forgotten.
        """
        seen = self._ahead(is_wanted)
        if not seen:
            self._forget_idle()
            return []
        alike = [place for place in self._may_run(seen) if seen[place][1].group == seen[0][1].group]
        lengths = [seen[place][1].length for place in alike]
        chosen = {alike[place] for place in fitting(lengths, self._tokens, self._least_fill)}
        self._count_overtaken(seen, chosen)
        clients = max(1, sum(bool(line.tokens) for line in self._lines.values()))
        for place in reversed(range(len(seen))):
            line, piece = seen[place]
            if place in chosen:
                line.had += piece.length
                line.tokens -= piece.length
                self._clock += piece.length / clients
            else:
                line.pieces.appendleft(piece)
        self._forget_idle()
        return [seen[place][1] for place in sorted(chosen)]

    def _may_run(self, seen: Sequence[tuple[Line, Piece]]) -> list[int]:
        """Leaves out what would overtake its own client's oldest sequence once more than it may.

        Such a client gets nothing, so it soon is the one that comes first, and its oldest sequence runs.
        """
        blocked: set[int] = set()
        found = []
        for place, (line, _) in enumerate(seen):
            if id(line) not in blocked:
                found.append(place)
            if line.overtaken >= OVERTAKING:
                blocked.add(id(line))
        return found

    def _count_overtaken(self, seen: Sequence[tuple[Line, Piece]], chosen: set[int]) -> None:
        oldest: dict[int, bool] = {}
        for place, (line, _) in enumerate(seen):
            if id(line) not in oldest:
                oldest[id(line)] = place in chosen
                if place in chosen:
                    line.overtaken = 0
            elif place in chosen and not oldest[id(line)]:
                line.overtaken += 1
                oldest[id(line)] = True  # once for each batch

    def _ahead(self, is_wanted: Callable[[Piece], bool]) -> list[tuple[Line, Piece]]:
        """The first sequences in the order of fairness, taken out of their lines."""
        lines = list(self._lines.values())
        heap = [(self._end(line.had, line.tokens), number) for number, line in enumerate(lines)]
        heapq.heapify(heap)
        passed = [0] * len(lines)
        seen: list[tuple[Line, Piece]] = []
        while heap and len(seen) < AHEAD:
            number = heapq.heappop(heap)[1]
            line = lines[number]
            while line.pieces and not is_wanted(line.pieces[0]):
                line.tokens -= line.pieces.popleft().length
            if not line.pieces:
                continue
            piece = line.pieces.popleft()
            seen.append((line, piece))
            passed[number] += piece.length
            end = self._end(line.had + passed[number], line.tokens - passed[number])
            heapq.heappush(heap, (end, number))
        return seen

    def _end(self, had: float, waiting: int) -> float:
        """When a client would be through, or have its batch."""
        return had + min(waiting, self._tokens)

    def _forget_idle(self) -> None:
        waiting = [line.had for line in self._lines.values() if line.pieces]
        self._clock = max(self._clock, min(waiting, default=0.0))
        if len(self._away) > REMEMBERED or not waiting:
            self._away.clear()
        self._away = {client: had for client, had in self._away.items() if had > self._clock}
        for client in [client for client, line in self._lines.items() if not line.pieces]:
            had = self._lines.pop(client).had
            if waiting and had > self._clock:
                self._away[client] = had


def fitting(lengths: Sequence[int], tokens: int, least_fill: float) -> set[int]:
    """Which sequences go with the first one: those closest to it in length, as long as little is padding.

    Args:
        lengths: of the sequences.
        tokens: most tokens of a batch, padding counted in, unless the first one alone is more.
        least_fill: share of the batch that is no padding.
    """
    first = lengths[0]
    chosen, longest, total = {0}, first, first
    for place in sorted(range(1, len(lengths)), key=lambda place: abs(lengths[place] - first)):
        length = lengths[place]
        padded = max(longest, length) * (len(chosen) + 1)
        if padded > tokens:
            break
        if total + length < least_fill * padded:
            continue
        chosen.add(place)
        longest, total = max(longest, length), total + length
    return chosen
