"""What other packages add through entry points: tasks, families, metrics, kinds of modules and transfer modes.

A package adds one by naming it in its `pyproject.toml`:

    [project.entry-points."lowres_stilts.tasks"]
    sick-de = "my_package:SICK_DE"

Nothing of it is imported before somebody asks for that name.
"""

import functools
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from pydantic import AfterValidator

from lowres_stilts.errors import PluginError

Entry = TypeVar("Entry")


class Registry(Mapping[str, Entry], Generic[Entry]):
    """Our own entries by name, and behind them those of plug-ins.

    Looking up a plug-in's entry imports its package, and may raise `PluginError`; `in` imports nothing.
    """

    def __init__(self, group: str, own: Mapping[str, Entry], entry_type: type | None = None) -> None:
        """Says where plug-ins add to it.

        Args:
            group: of the entry points, without `lowres_stilts.`.
            own: the project's.
            entry_type: what plug-ins must give, where that is a class.
        """
        self._group = group
        self._own = dict(own)
        self._type = entry_type
        self._loaded: dict[str, Entry] = {}

    def __getitem__(self, name: str) -> Entry:
        if name in self._own:
            return self._own[name]
        if name not in self._loaded:
            self._loaded[name] = _load(self._points[name], self._type)
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._points

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        yield from self._points

    def __len__(self) -> int:
        return len(self._own) + len(self._points)

    @property
    def _points(self) -> Mapping[str, EntryPoint]:
        points = _entry_points(self._group)
        if taken := self._own.keys() & points.keys():
            name = min(taken)
            raise PluginError(
                f"{_source(points[name])} adds {name!r} to {self._group}, which has one; uninstall it"
            )
        return points


def plugin_names(group: str) -> tuple[str, ...]:
    """The names that plug-ins add to a group, without importing them.

    Raises:
        PluginError: two add the same name.
    """
    return tuple(_entry_points(group))


def one_of(group: str, *own: str) -> AfterValidator:
    """Whether a setting names something of ours or of a plug-in."""

    def known(name: str) -> str:
        names = (*own, *(() if name in own else plugin_names(group)))
        if name not in names:
            raise ValueError(f"there is no {name!r} here; there are {', '.join(names)}")
        return name

    return AfterValidator(known)


@functools.cache
def _entry_points(group: str) -> Mapping[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=f"lowres_stilts.{group}"):
        if point.name in found:
            first, second = (_source(each) for each in (found[point.name], point))
            raise PluginError(f"{first} and {second} both add {point.name!r} to {group}; uninstall one of them")
        found[point.name] = point
    return found


def _load(point: EntryPoint, entry_type: type | None) -> Any:
    try:
        entry = point.load()
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise PluginError(f"{_source(point)}: {point.value} cannot be imported ({reason}); update it") from error
    if entry_type is not None and not isinstance(entry, entry_type):
        raise PluginError(f"{_source(point)}: {point.value} is no {entry_type.__name__}; update it")
    return entry


def _source(point: EntryPoint) -> str:
    return f"plug-in {point.dist.name} {point.dist.version}" if point.dist else f"plug-in {point.value}"
