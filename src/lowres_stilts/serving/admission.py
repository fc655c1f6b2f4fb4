"""Which requests are let in: as many as can be answered soon, and fair between clients."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from lowres_stilts.serving.problems import TOO_LARGE, TOO_MANY, Refusal
from lowres_stilts.serving.settings import Queue

TOGETHER = 2
"""Times the wait of one client that the work of all clients may take."""


class Demand(NamedTuple):
    """How much a request, or several, ask for."""

    sequences: int = 0
    characters: int = 0
    tokens: int = 0
    held: int = 0
    """Bytes of memory."""

    def plus(self, other: "Demand", sign: int = 1) -> "Demand":
        """Both together."""
        return Demand(*(mine + sign * its for mine, its in zip(self, other, strict=True)))


@dataclass(eq=False)
class Admission:
    """What is accepted and not answered, by client.

    A request is let in while the network has less to do than one full batch for each run, whatever was measured
    before. Otherwise it is let in if its client's work would be through in time, where clients take equal turns:
    whoever asks for little is not refused for another one's backlog. Whoever asks for more than a batch is refused
    where everybody's work would take too long: those who came late would make the first ones wait without end.

    Args:
        queue: limits.
        seconds: how long the network takes for so many tokens.
    """

    queue: Queue
    seconds: Callable[[float], float]

    def __post_init__(self) -> None:
        self._clients: dict[str, Demand] = {}
        self.total = Demand()

    @property
    def is_free(self) -> bool:
        """Whether the network has less to do than one full batch for each run."""
        return self.total.tokens < self.queue.runs * self.queue.tokens_per_run

    @property
    def clients(self) -> int:
        """Those who wait for an answer."""
        return len(self._clients)

    def require_room(self, client: str, demand: Demand) -> None:
        """Whether a request can be let in.

        Raises:
            Refusal: it is too large, or has to come again later.
        """
        queue = self.queue
        if demand.sequences > queue.sequences or demand.characters > queue.characters:
            message = f"more than {queue.sequences} inputs, or {queue.characters} characters in all"
            raise Refusal(TOO_LARGE, message)
        if demand.held > queue.bytes:
            message = (
                f"a request of {demand.held} bytes, with what is made of its texts, is larger than {queue.bytes}"
            )
            raise Refusal(TOO_LARGE, message)
        if not self._clients:
            return
        if self._is_over_limits(client, demand):
            raise _over_capacity(self.seconds(self.total.tokens))
        late = 0.0 if self.is_free else self._seconds_late(client, demand.tokens)
        if late > 0:
            raise _over_capacity(late)

    def tokens_until(self, client: str, more: int) -> int:
        """Tokens that run before the work of a client is through, where clients take equal turns."""
        own = self._clients.get(client, Demand()).tokens + more
        return own + sum(min(held.tokens, own) for other, held in self._clients.items() if other != client)

    def _seconds_late(self, client: str, more: int) -> float:
        """How much later than it should be a client's work would be through, or everybody's."""
        wait = self.queue.wait_seconds
        late = self.seconds(self.tokens_until(client, more)) - wait
        if self._clients.get(client, Demand()).tokens + more <= self.queue.tokens_per_run:
            return late
        return max(late, self.seconds(self.total.tokens + more) - TOGETHER * wait)

    def add(self, client: str, demand: Demand, sign: int = 1) -> None:
        """Counts a request that was let in; with -1, what is through."""
        self.total = self.total.plus(demand, sign)
        self._clients[client] = self._clients.get(client, Demand()).plus(demand, sign)
        if not any(self._clients[client]):
            del self._clients[client]

    def _is_over_limits(self, client: str, demand: Demand) -> bool:
        queue, share = self.queue, self.queue.client_share
        if _is_over(self.total.plus(demand), queue, 1.0):
            return True
        return client in self._clients and _is_over(self._clients[client].plus(demand), queue, share)


def _is_over(demand: Demand, queue: Queue, share: float) -> bool:
    """Whether it is more than a share of what may be accepted."""
    return (
        demand.sequences > share * queue.sequences
        or demand.characters > share * queue.characters
        or demand.held > share * queue.bytes
    )


def _over_capacity(seconds: float) -> Refusal:
    return Refusal(TOO_MANY, "over capacity; try again later", seconds)
