"""Features in Ray's object store, where the machines of a cluster have them from each other."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class _Keeper:
    """An actor that owns what is put into the object store: a worker's own would be lost with the worker."""

    def __init__(self) -> None:
        self._objects: dict[str, Any] = {}

    def put(self, key: str, files: Mapping[str, bytes]) -> None:
        import ray  # noqa: PLC0415 - an extra

        if key not in self._objects:
            self._objects[key] = ray.put(files)

    def take(self, key: str) -> list[Any]:
        """The reference, in a list, since Ray would put the object itself into its place."""
        return [self._objects[key]] if key in self._objects else []


@dataclass(frozen=True)
class RayShelf:
    """A shelf that workers have on all machines of a cluster.

    Where the object store fails them, they tokenize for themselves.
    """

    keeper: Any
    """The actor's handle."""

    @classmethod
    def start(cls) -> "RayShelf":
        """An empty shelf in the cluster that this process is connected to."""
        import ray  # noqa: PLC0415 - an extra

        return cls(ray.remote(num_cpus=0)(_Keeper).remote())

    def take(self, key: str) -> Mapping[str, bytes] | None:
        """The files of some features by name; None where nobody has put them there."""
        import ray  # noqa: PLC0415 - an extra

        try:
            found = ray.get(self.keeper.take.remote(key))
            files: Mapping[str, bytes] | None = ray.get(found[0]) if found else None
        except ray.exceptions.RayError:
            return None
        return files

    def put(self, key: str, files: Mapping[str, bytes]) -> None:
        """Puts them into the object store."""
        import ray  # noqa: PLC0415 - an extra

        with contextlib.suppress(ray.exceptions.RayError):
            ray.get(self.keeper.put.remote(key, files))
