"""Adapters that appear, change and disappear in a folder, and what worker processes tell each other."""

import asyncio
import contextlib
import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

import orjson

from lowres_stilts.errors import BundleError, LowresStiltsError
from lowres_stilts.names import file_name, readable
from lowres_stilts.runtime import Bundle
from lowres_stilts.runtime.adapters import LARGEST
from lowres_stilts.runtime.manifest import SUFFIX, AdapterPart
from lowres_stilts.runtime.sums import BUNDLE
from lowres_stilts.serving.catalog import Catalog, Shelf
from lowres_stilts.storage import write_text
from lowres_stilts.sums import SUMS

Fingerprint = tuple[tuple[str, int, int, int], ...]
GONE_SECONDS = 5.0
"""After which a folder that is not there is taken for removed."""
logger = logging.getLogger(__name__)


class Watch:
    """Keeps a catalog as the folder is, and its unloaded adapters as the other workers have them."""

    def __init__(self, catalog: Catalog, folder: Path | None, state: Path | None) -> None:
        self._catalog = catalog
        self._folder = folder
        self._state = state
        self._seen: dict[tuple[str, str], Fingerprint] = {}
        self._missing: dict[tuple[str, str], float] = {}
        """Since when folders that were there are not."""
        self._state_read = 0

    async def run(self, seconds: float) -> None:
        """Looks again and again."""
        while True:
            await asyncio.sleep(seconds)
            await self.look()

    async def look(self) -> None:
        """Looks once; what cannot be loaded is logged, and tried again when it changes."""
        try:
            found = await asyncio.to_thread(self._scan)
        except OSError as error:
            logger.warning("adapters cannot be looked for", extra={"reason": error.strerror})
            return
        for key in self._gone(found):
            del self._seen[key]
            await self._apply(key, "gone", partial(self._catalog.shelves[key[0]].forget, key[1]))
        for key, (path, fingerprint) in found.items():
            if self._seen.get(key) != fingerprint:
                self._seen[key] = fingerprint
                await self._apply(key, "loaded", partial(_load, self._catalog.shelves[key[0]], key[1], path))
        await self._follow_state()

    def _gone(self, found: Collection[tuple[str, str]]) -> list[tuple[str, str]]:
        """What has been missing for a while: a folder that is replaced is not there for a moment."""
        now = time.monotonic()
        self._missing = {key: self._missing.get(key, now) for key in self._seen if key not in found}
        return [key for key, since in self._missing.items() if now - since >= GONE_SECONDS]

    async def load(self, shelf: Shelf, name: str) -> None:
        """Loads an adapter here, and lets the other workers do the same.

        Raises:
            BundleError: it is damaged, or does not fit.
        """
        await self._catalog.change(lambda: shelf.load(name))
        self._tell("loaded", shelf, name)
        await asyncio.to_thread(self._write_state)

    async def unload(self, shelf: Shelf, name: str) -> None:
        """Unloads an adapter here, and lets the other workers do the same."""
        await self._catalog.change(lambda: shelf.unload(name))
        self._tell("unloaded", shelf, name)
        await asyncio.to_thread(self._write_state)

    async def roll_back(self, shelf: Shelf, name: str) -> None:
        """Puts the former version of an adapter in its place here, and lets the other workers do the same.

        Raises:
            UsageError: there is none in memory.
        """
        await self._catalog.change(lambda: shelf.roll_back(name))
        self._tell("put back", shelf, name)
        await asyncio.to_thread(self._write_state)

    def _tell(self, event: str, shelf: Shelf, name: str) -> None:
        bundle = next(key for key, value in self._catalog.shelves.items() if value is shelf)
        known = shelf.versions.get(name)
        version = {} if known is None else {"adapter_version": known.version}
        logger.info(f"adapter {event}", extra={"bundle": bundle, "adapter": readable(name), **version})

    async def _apply(self, key: tuple[str, str], event: str, what: Callable[[], object]) -> None:
        told = {"bundle": key[0], "adapter": readable(key[1])}
        try:
            await self._catalog.change(what)
        except LowresStiltsError as error:
            logger.warning("an adapter cannot be loaded", extra={**told, "reason": readable(error)})
        except Exception:  # whatever one folder does, the others are still to be looked at
            logger.exception("an adapter cannot be loaded", extra=told)
        else:
            self._tell(event, self._catalog.shelves[key[0]], key[1])

    def _scan(self) -> dict[tuple[str, str], tuple[Path, Fingerprint]]:
        """Folders of adapters and what their files are like, by bundle and name."""
        found = {}
        for bundle in self._catalog.shelves if self._folder else ():
            place = self._folder if len(self._catalog.shelves) == 1 else self._folder / bundle  # type: ignore[operator]
            for path in sorted(place.iterdir()) if place and place.is_dir() else ():
                if path.is_dir() and not path.name.startswith(".") and (name := adapter_name(path)):
                    with contextlib.suppress(OSError):  # it is being removed
                        found[bundle, name] = (path, _fingerprint(path))
        return found

    def _write_state(self) -> None:
        if self._state is None:
            return
        shelves = self._catalog.shelves.items()
        unloaded = {name: sorted(shelf.unloaded) for name, shelf in shelves}
        put_back = {name: dict(shelf.put_back) for name, shelf in shelves}
        state = {"at": time.time_ns(), "unloaded": unloaded, "put_back": put_back}
        write_text(self._state, orjson.dumps(state).decode())
        self._state_read = self._state.stat().st_mtime_ns

    async def _follow_state(self) -> None:
        try:
            changed = self._state.stat().st_mtime_ns if self._state else 0
            if changed == self._state_read or not self._state:
                return
            state = orjson.loads(await asyncio.to_thread(self._state.read_bytes))
        except FileNotFoundError:
            return
        self._state_read = changed
        await self._follow_unloaded(state["unloaded"])
        for bundle, versions in state["put_back"].items():
            shelf = self._catalog.shelves[bundle]
            for name, version in versions.items():
                if name in shelf.versions and shelf.versions[name].version != version:
                    await self._apply((bundle, name), "put back", partial(_follow, shelf, name, version))

    async def _follow_unloaded(self, unloaded: Mapping[str, Sequence[str]]) -> None:
        for bundle, names in unloaded.items():
            shelf = self._catalog.shelves[bundle]
            for name in set(names) - shelf.unloaded:
                await self._apply((bundle, name), "unloaded", partial(shelf.unload, name))
            for name in shelf.unloaded - set(names):
                await self._apply((bundle, name), "loaded", partial(shelf.load, name))


def adapter_name(folder: Path) -> str | None:
    """The name of the adapter in a folder, or none where there is not exactly one."""
    names = [path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}")]
    return names[0] if len(names) == 1 else None


def _follow(shelf: Shelf, name: str, version: str) -> None:
    """Puts back the version that another worker put back."""
    former = shelf.replaced.get(name)
    if former is None or former.version != version:
        raise BundleError(f"{name}: version {version}, which another worker put back, is not in memory")
    shelf.roll_back(name)


def _load(shelf: Shelf, name: str, path: Path) -> None:
    shelf.take(name, partial(_load_copy, shelf.bundle, path))


def _load_copy(bundle: Bundle, folder: Path) -> AdapterPart:
    """Loads a copy, as whoever writes over the files of a mapped adapter would change what it answers."""
    with tempfile.TemporaryDirectory(prefix="lowres-stilts-") as own:
        copy = Path(own) / file_name(folder.name)
        copy.mkdir()
        names = [SUMS, *BUNDLE.read(folder)]
        try:
            if sum((folder / name).stat().st_size for name in names if (folder / name).is_file()) > LARGEST:
                raise BundleError(f"{folder}: larger than {LARGEST // 10**6} MB, which no adapter is")
            BUNDLE.verify(folder)
            for name in names:
                shutil.copyfile(folder / name, copy / name)
        except (OSError, shutil.Error) as error:
            raise BundleError(f"{folder}: cannot be read") from error
        # What is mapped stays when its folder is gone.
        return bundle.load_adapter(copy)


def _fingerprint(folder: Path) -> Fingerprint:
    """What changes when somebody writes into the folder; a link to nothing is no reason to look no further."""
    return tuple(_state_of(path) for path in sorted(folder.iterdir()))


def _state_of(path: Path) -> tuple[str, int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return path.name, -1, 0, 0
    # Files of two versions may have one size and, where archives or images set it, one time of writing.
    return path.name, found.st_size, found.st_mtime_ns, found.st_ctime_ns
