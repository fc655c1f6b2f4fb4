"""What a program asks of a card: launches, waits and transfers, with the lines that asked."""

import copy
import sys
from collections import Counter
from pathlib import Path

from torch import Tensor
from torch._ops import OpOverload

import lowres_stilts

SOURCE = f"{Path(lowres_stilts.__file__).parent}/"
TESTS = str(Path(__file__).parent.parent)
HERE = str(Path(__file__).parent)
DEVICE_ITSELF = tuple(
    f"{HERE}/{name}.py" for name in ("call", "counts", "disguise", "memory", "movers", "stand_ins")
)

FREE = {
    "_unsafe_view", "alias", "detach", "empty", "empty_like", "empty_strided", "is_same_size", "lift_fresh",
    "new_empty", "new_empty_strided", "resize_", "set_", "view", "_local_scalar_dense",
}  # fmt: skip
"""Operations that launch nothing, beside views."""
WAITS = {
    "_local_scalar_dense", "_unique2", "equal", "masked_select", "nonzero", "unique_consecutive",
    "unique_dim",
}  # fmt: skip
"""Operations whose outcome the CPU must know before it goes on: a number, or how many elements there are."""


class Counts:
    """Of everything since the last `clear`."""

    def __init__(self) -> None:
        self.launched: Counter[str] = Counter()
        """By operation."""
        self.waited: Counter[tuple[str, str]] = Counter()
        """By reason and line; transfers that hold the CPU up are among them."""
        self.sent: Counter[str] = Counter()
        """Transfers to the card, by line."""
        self.fetched: Counter[str] = Counter()
        """Transfers to the host, by line."""
        self.caches_emptied = 0

    @property
    def launches(self) -> int:
        """All of them."""
        return self.launched.total()

    @property
    def waits(self) -> int:
        """All of them."""
        return self.waited.total()

    def clear(self) -> None:
        """Begins at zero."""
        self.__init__()  # type: ignore[misc]

    def taken(self) -> "Counts":
        """These, and begins at zero."""
        taken = copy.copy(self)
        self.clear()
        return taken

    def operation(self, op: OpOverload, args: tuple[object, ...]) -> None:
        """An operation on tensors of the card."""
        name = op.overloadpacket.__name__
        if not op.is_view and name not in FREE:
            self.launched[name] += 1
        if name in WAITS or _selects_by_mask(name, args) or (name == "repeat_interleave" and len(args) == 1):
            self.waited[name, line()] += 1

    def waiting(self, reason: str) -> None:
        """The CPU waits for the card."""
        self.waited[reason, line()] += 1

    def sending(self, *, waits: bool) -> None:
        """A transfer to the card."""
        self.sent[line()] += 1
        if waits:
            self.waited["to the card", line()] += 1

    def fetching(self, *, waits: bool = True) -> None:
        """A transfer to the host."""
        self.fetched[line()] += 1
        if waits:
            self.waited["to the host", line()] += 1


def _selects_by_mask(name: str, args: tuple[object, ...]) -> bool:
    if name not in {"index", "index_put", "index_put_", "_index_put_impl_"}:
        return False
    return any(isinstance(index, Tensor) and not index.dtype.itemsize > 1 for index in args[1])  # type: ignore[attr-defined]


def line() -> str:
    """The innermost line of the project that is being run, else of its tests, else of a library."""
    found: dict[str, str] = {}
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(SOURCE):
            return f"{file.removeprefix(SOURCE)}:{frame.f_lineno}"
        if file not in DEVICE_ITSELF and "/torch/" not in file:
            kind = "tests" if file.startswith(TESTS) else "library"
            found.setdefault(kind, f"{file.rpartition('/')[2]}:{frame.f_lineno}")
        frame = frame.f_back  # type: ignore[assignment]
    return found.get("tests") or found.get("library", "?")
