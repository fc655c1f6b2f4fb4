"""Who answers: an adapter of a bundle, or a package over its encoder. Both read and decode alike."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from lowres_stilts.errors import UsageError
from lowres_stilts.runtime.manifest import AdapterPart
from lowres_stilts.runtime.predictions import Prediction


class Answerer(Protocol):
    """Answers rows of one task."""

    part: AdapterPart
    """What it is for."""
    version: str
    """Changes with whatever could change an answer."""

    def answers(self, asked: Sequence[Any]) -> list[Prediction]:
        """In the order of what is asked, each in the form that its family takes."""
        ...


def one_of(names: Sequence[str], wanted: str | None, where: Path) -> str:
    """The adapter that is wanted.

    Raises:
        UsageError: there is none of this name, or several and none is named.
    """
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted in names:
        return wanted  # type: ignore[return-value] # None is no name
    problem = "which of its adapters? " if wanted is None else f"no adapter {wanted!r}; "
    raise UsageError(f"{where}: {problem}--adapter takes {', '.join(names) or 'none, as there is none'}")
