"""Which of the waiting sequences run next: fair between clients, and of like length."""

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


class Schedule:
    """Waiting sequences by client.

    The client that has had the fewest tokens comes first, and its oldest sequence is always in the next batch;
    what fills the batch is close to it in length. So nobody waits for another client's backlog, and little is
    padding. Not safe to use from several threads.
    """

    def __init__(self, tokens: int, least_fill: float) -> None:
        self._tokens = tokens
        self._least_fill = least_fill
        self._waiting: dict[str, deque[Piece]] = {}
        self._had: dict[str, float] = {}
        self._away: dict[str, float] = {}
        self._overtaken: dict[str, int] = {}
        self._floor = 0.0

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, client: str, pieces: Sequence[Piece]) -> None:
        """Puts sequences at the end of a client's own queue."""
        if client not in self._waiting:
            self._waiting[client] = deque()
            # Whoever was away has no credit for that time, and no less than it had.
            self._had[client] = max(self._floor, self._away.pop(client, 0.0))
        self._waiting[client].extend(pieces)

    def take(self, is_wanted: Callable[[Piece], bool]) -> list[Piece]:
        """The next batch, empty where nothing is waiting.

        Args:
            is_wanted: whether somebody is still waiting for it; others are forgotten.
        """
        seen = self._ahead(is_wanted)
        if not seen:
            return []
        alike = [place for place in self._may_run(seen) if seen[place][1].group == seen[0][1].group]
        lengths = [seen[place][1].length for place in alike]
        chosen = {alike[place] for place in fitting(lengths, self._tokens, self._least_fill)}
        self._count_overtaken(seen, chosen)
        for place in reversed(range(len(seen))):
            client, piece = seen[place]
            if place in chosen:
                self._had[client] += piece.length
            else:
                self._waiting[client].appendleft(piece)
        self._forget_idle()
        return [seen[place][1] for place in sorted(chosen)]

    def _may_run(self, seen: Sequence[tuple[str, Piece]]) -> list[int]:
        """Leaves out what would overtake its own client's oldest sequence once more than it may.

        Such a client gets nothing, so it soon is the one that has had least, and its oldest sequence runs.
        """
        blocked: set[str] = set()
        found = []
        for place, (client, _) in enumerate(seen):
            if client not in blocked:
                found.append(place)
            if self._overtaken.get(client, 0) >= OVERTAKING:
                blocked.add(client)
        return found

    def _count_overtaken(self, seen: Sequence[tuple[str, Piece]], chosen: set[int]) -> None:
        oldest: dict[str, bool] = {}
        for place, (client, _) in enumerate(seen):
            if client not in oldest:
                oldest[client] = place in chosen
                if place in chosen:
                    self._overtaken.pop(client, None)
            elif place in chosen and not oldest[client]:
                self._overtaken[client] = self._overtaken.get(client, 0) + 1
                oldest[client] = True  # once for each batch

    def _ahead(self, is_wanted: Callable[[Piece], bool]) -> list[tuple[str, Piece]]:
        """The first sequences in the order of fairness, taken out of their queues."""
        heap = [(had, number, client) for number, (client, had) in enumerate(self._had.items())]
        heapq.heapify(heap)
        seen: list[tuple[str, Piece]] = []
        while heap and len(seen) < AHEAD:
            had, number, client = heapq.heappop(heap)
            queue = self._waiting[client]
            while queue and not is_wanted(queue[0]):
                queue.popleft()
            if not queue:
                continue
            if not seen:
                self._floor = max(self._floor, had)
            piece = queue.popleft()
            seen.append((client, piece))
            heapq.heappush(heap, (had + piece.length, number, client))
        return seen

    def _forget_idle(self) -> None:
        if len(self._away) > REMEMBERED or not any(self._waiting.values()):
            self._away.clear()
        self._away = {client: had for client, had in self._away.items() if had > self._floor}
        for client in [client for client, queue in self._waiting.items() if not queue]:
            del self._waiting[client]
            self._away[client] = self._had.pop(client)
            self._overtaken.pop(client, None)


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
