"""Bundles and their adapters by name: loaded, unloaded and found while requests are answered."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from lowres_stilts.errors import BundleError, UsageError
from lowres_stilts.names import readable
from lowres_stilts.runtime import Bundle
from lowres_stilts.runtime.adapters import Adapter
from lowres_stilts.runtime.manifest import AdapterPart, FamilyName
from lowres_stilts.serving.problems import NOT_FOUND, UNPROCESSABLE, Refusal

ROUTES: dict[FamilyName, str] = {
    "classification": "/predict or /text-classification",
    "tagging": "/token-classification",
    "qa": "/question-answering",
    "multiple_choice": "/multiple-choice",
}
Load = Callable[[], object]
"""Puts an adapter into its bundle."""
Changed = TypeVar("Changed")


@dataclass(frozen=True)
class Target:
    """What a request is about; it keeps its adapter, whatever is unloaded meanwhile."""

    name: str
    bundle_name: str
    bundle: Bundle
    adapter: Adapter | None
    """None is the bare encoder."""


@dataclass(frozen=True)
class Version:
    """What an adapter is, whether it is in memory or not."""

    part: AdapterPart
    version: str
    sha256: str

    @classmethod
    def of(cls, adapter: Adapter) -> Self:
        """That of an adapter in memory."""
        return cls(adapter.part, adapter.version, adapter.sha256)


class Shelf:
    """One bundle and where its adapters come from; those not used for longest are let go beyond a limit.

    An adapter that is replaced stays in memory until the next one replaces it, so that it can be put back.
    """

    def __init__(self, bundle: Bundle, most: int) -> None:
        self.bundle = bundle
        self.versions = {name: Version.of(adapter) for name, adapter in bundle.loaded.items()}
        """Of every adapter that can be asked for, loaded or not."""
        self.replaced: dict[str, Adapter] = {}
        """The former versions of adapters that were replaced, by name."""
        self.put_back: dict[str, str] = {}
        """The versions of adapters that were put back, by name, until their files change."""
        self.unloaded: set[str] = set()
        """Those that somebody unloaded: nobody can ask for them."""
        self._own = {part.name: self._loader(part) for part in bundle.manifest.adapters}
        self._sources: dict[str, Load] = dict(self._own)
        self._most = most
        self._used: OrderedDict[str, None] = OrderedDict.fromkeys(bundle.adapters)
        self._let_go()

    def known(self) -> dict[str, Version]:
        """The adapters that can be asked for, by name."""
        return {name: version for name, version in tuple(self.versions.items()) if name not in self.unloaded}

    def loaded(self, name: str) -> Adapter | None:
        """An adapter that is in memory."""
        adapter = self.bundle.loaded.get(name)
        if adapter is not None:
            self._used[name] = None
            self._used.move_to_end(name)
        return adapter

    def load(self, name: str) -> Adapter:
        """Loads a known adapter, anew if it is there already.

        Raises:
            BundleError: its files are damaged, or do not fit.
        """
        former = self.bundle.loaded.get(name)
        self._sources[name]()
        adapter = self.bundle.loaded[name]
        if former is not None and former.version != adapter.version:
            self.replaced[name] = former
            if len(self.replaced) > self._most:
                self.replaced.pop(next(iter(self.replaced)))
        self.versions[name] = Version.of(adapter)
        self.unloaded.discard(name)
        self._used[name] = None
        self._used.move_to_end(name)
        self._let_go()
        return adapter

    def reload(self, name: str) -> Adapter | None:
        """An adapter that was let go, in memory again; None where it was unloaded, or is gone."""
        if name not in self.versions or name in self.unloaded:
            return None
        return self.loaded(name) or self.load(name)

    def roll_back(self, name: str) -> None:
        """Puts the former version of an adapter in its place, from which it can be put back in turn.

        Raises:
            UsageError: there is none in memory.
        """
        former = self.replaced.pop(name, None)
        if former is None:
            raise UsageError(f"{name}: no former version is in memory")
        self._sources[name] = partial(self.bundle.put_back, former)
        self.put_back[name] = former.version
        self.load(name)

    def unload(self, name: str) -> None:
        """Lets go of an adapter until it is loaded again."""
        self.unloaded.add(name)
        self._drop(name)

    def take(self, name: str, load: Load) -> None:
        """Loads an adapter from somewhere else, from where it is loaded from now on.

        Raises:
            BundleError: its files are damaged, or do not fit; what was put back stays.
        """
        former, version = self._sources.get(name), self.put_back.pop(name, None)
        self._sources[name] = load
        try:
            self.load(name)
        except BundleError:
            if former is not None and version is not None:
                self._sources[name], self.put_back[name] = former, version
            raise

    def knows(self, name: str) -> bool:
        """Whether an adapter can be loaded."""
        return name in self._sources

    def forget(self, name: str) -> None:
        """An adapter's folder is gone; one of the bundle's own takes its place if there is one."""
        if name in self._own:
            self.take(name, self._own[name])
            return
        for known in (self.versions, self.replaced, self.put_back, self._sources):
            known.pop(name, None)
        self._drop(name)
        self.unloaded.discard(name)

    def _let_go(self) -> None:
        while len(self._used) > self._most:
            self._drop(next(iter(self._used)))

    def _drop(self, name: str) -> None:
        self._used.pop(name, None)
        if name in self.bundle.loaded:
            self.bundle.remove_adapter(name)

    def _loader(self, part: AdapterPart) -> Load:
        return partial(self.bundle.add_adapter, self.bundle.folder / part.file, part)


class Catalog:
    """The shelves of a service. Changes wait for each other; finding waits only for what has to be loaded."""

    def __init__(self, shelves: dict[str, Shelf]) -> None:
        self.shelves = shelves
        self._changing = asyncio.Lock()

    @classmethod
    def open(cls, folders: list[Path], *, threads: int | None, most: int) -> Self:
        """Opens bundles; each is named after its folder.

        Raises:
            BundleError: one is damaged.
            UsageError: two have the same name.
        """
        shelves: dict[str, Shelf] = {}
        for folder in folders:
            name = bundle_name(folder)
            if name in shelves:
                raise UsageError(f"two bundles are called {name!r}: rename one of the folders")
            bundle = Bundle.load(folder, threads=threads, spin=False)
            bundle.network.open_all()
            shelves[name] = Shelf(bundle, most)
        return cls(shelves)

    def public_name(self, bundle: str, adapter: str) -> str:
        """How requests name an adapter."""
        return adapter if len(self.shelves) == 1 else f"{bundle}/{adapter}"

    def listed(self) -> Iterator[tuple[str, str, AdapterPart]]:
        """Bundle, public name and part of every adapter that can be asked for."""
        for bundle, shelf in self.shelves.items():
            for name, version in shelf.known().items():
                yield bundle, self.public_name(bundle, name), version.part

    async def encoder(self, name: str | None) -> Target:
        """What embeds: a bare encoder or any adapter; the first bundle's encoder where nothing is named.

        Raises:
            Refusal: there is none of this name.
        """
        if name is None:
            name = next(iter(self.shelves))
        if name in self.shelves:
            return Target(name, name, self.shelves[name].bundle, None)
        return await self._adapter(name)

    async def answerer(self, name: str | None, family: FamilyName) -> Target:
        """An adapter of a family; the only one where nothing is named.

        Raises:
            Refusal: there is none of this name or family, or nothing is named and there are several.
        """
        if name is None:
            fitting = [known for _, known, part in self.listed() if part.family == family]
            if len(fitting) != 1:
                raise Refusal(*_none_chosen(family, fitting))
            name = fitting[0]
        if name in self.shelves:
            raise Refusal(UNPROCESSABLE, f"{name} is a bare encoder: ask POST /embed, or name one of its adapters")
        target = await self._adapter(name)
        own = target.adapter.part.family if target.adapter else family
        if own != family:
            raise Refusal(UNPROCESSABLE, f"{name} is an adapter for {own}: ask POST {ROUTES[own]}")
        return target

    def placed(self, name: str) -> tuple[Shelf, str] | None:
        """The shelf of a public name, and the adapter's name there, whether it is loaded or not."""
        bundle, slash, adapter = name.partition("/")
        if slash and bundle in self.shelves:
            return self.shelves[bundle], adapter
        if len(self.shelves) == 1 and not slash:
            return next(iter(self.shelves.values())), name
        return None

    async def change(self, what: Callable[[], Changed]) -> Changed:
        """Does something to a shelf, in another thread and after every change before it; what came of it."""
        async with self._changing:
            return await asyncio.to_thread(what)

    async def _adapter(self, name: str) -> Target:
        placed = self.placed(name)
        if placed is None:
            raise _unknown(name)
        shelf, own = placed
        if own not in shelf.versions or own in shelf.unloaded:
            raise _unknown(name)
        adapter = shelf.loaded(own) or await self.change(lambda: shelf.reload(own))
        if adapter is None:  # unloaded while this waited
            raise _unknown(name)
        bundle = next(key for key, value in self.shelves.items() if value is shelf)
        return Target(self.public_name(bundle, own), bundle, shelf.bundle, adapter)


def bundle_name(folder: Path) -> str:
    """The last part of its path, as it was given.

    Raises:
        UsageError: no request could name it.
    """
    name = folder.resolve().name if folder.name in {"", ".."} else folder.name
    if name != readable(name):
        raise UsageError(f"{readable(name)}: a bundle is named after its folder, in printable UTF-8; rename it")
    return name


def _unknown(name: str) -> Refusal:
    shown = name if len(name) <= 80 else f"{name[:77]}..."
    return Refusal(NOT_FOUND, f"there is no model or adapter {shown!r}; GET /info lists them")


def _none_chosen(family: FamilyName, fitting: list[str]) -> tuple[int, str]:
    if not fitting:
        return NOT_FOUND, f"no adapter for {family} is loaded; GET /info lists those that are"
    shown = ", ".join(fitting[:8]) + (", ..." if len(fitting) > 8 else "")
    return UNPROCESSABLE, f'several adapters can answer; name one as "adapter": {shown}'
