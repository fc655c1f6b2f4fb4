"""The service between its routes and its network: who asks, of what, and whether anything can be answered now."""

import contextlib
from collections.abc import Callable, Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowres_stilts.runtime.bundle import Prepared
from lowres_stilts.runtime.manifest import AdapterPart, FamilyName
from lowres_stilts.runtime.network import Row
from lowres_stilts.serving.admission import Demand
from lowres_stilts.serving.batcher import Batcher, Group
from lowres_stilts.serving.catalog import Catalog, Target
from lowres_stilts.serving.memory import request_bytes
from lowres_stilts.serving.metrics import Metrics
from lowres_stilts.serving.problems import TOO_LARGE, TOO_MANY, UNAVAILABLE, Refusal
from lowres_stilts.serving.settings import Settings
from lowres_stilts.serving.watch import Watch
from lowres_stilts.serving.work import Estimate, estimated_tokens, family_estimate
from lowres_stilts.text.slices import Steps
from lowres_stilts.text.tokens import Token

Scores = list[NDArray[np.float32]]


@dataclass
class Note:
    """What is known of a request, for its log line, its span and its metrics; never its text."""

    request_id: str
    method: str
    client: str
    route: str = "none"
    """The template of its path."""
    adapter: str | None = None
    adapter_version: str | None = None
    inputs: int | None = None
    tokens: int | None = None

    def asks(self, target: Target) -> None:
        """Whom it is for."""
        self.adapter = target.name
        self.adapter_version = target.adapter.version if target.adapter else None

    def facts(self) -> dict[str, Any]:
        """What is known, by name."""
        return {key: value for key, value in vars(self).items() if value is not None}


@dataclass
class Opened:
    """What is there once the bundles are open."""

    catalog: Catalog
    batcher: Batcher
    watch: Watch


@dataclass
class Service:
    """One process of the service."""

    settings: Settings
    metrics: Metrics
    opened: Opened | None = None
    failure: Exception | None = None
    """Why the bundles could not be opened."""
    is_draining: bool = False
    running: int = 0
    """Requests that were let in and are not answered."""
    token_vectors: int = 0
    """That are expected to be in the answers that are being made."""

    @property
    def is_ready(self) -> bool:
        """Whether a request that comes now would be answered."""
        return self.opened is not None and not self.is_draining and not self.opened.batcher.is_stuck

    @property
    def open(self) -> Opened:
        """The bundles and what runs them.

        Raises:
            Refusal: they are not open yet.
        """
        if self.opened is None:
            raise Refusal(UNAVAILABLE, "the service is loading its models; try again shortly", 2)
        return self.opened

    def require_ready(self) -> None:
        """Whether requests can be let in.

        Raises:
            Refusal: the service is loading, ending, or stuck.
        """
        if self.is_draining:
            raise Refusal(UNAVAILABLE, "the service is ending; ask another one", 5, closes=True)
        if self.open.batcher.is_stuck:
            raise Refusal(UNAVAILABLE, "the service does not get on; try again later", 10)

    def measure(self) -> None:
        """Sets the figures that stand for now."""
        metrics, opened = self.metrics, self.opened
        metrics.ready.set(int(self.is_ready))
        if opened is not None:
            metrics.accepted.set(opened.batcher.sequences)
            metrics.waiting.set(opened.batcher.waiting)
            metrics.loaded.set(sum(len(shelf.bundle.adapters) for shelf in opened.catalog.shelves.values()))

    async def embed(
        self, note: Note, name: str | None, texts: Sequence[str], *, truncate: bool
    ) -> tuple[Target, NDArray[np.float32]]:
        """Vectors `[texts, hidden]` as the encoder gives them.

        Raises:
            Refusal: no such model, too much text, or no room.
            TooLongError: a text has too many tokens and may not be cut.
        """
        self._require_size(texts)
        target = await self.open.catalog.encoder(name)
        note.asks(target)

        def prepare() -> Steps[Sequence[Row]]:
            return (yield from target.bundle.prepare_texts_in_steps(texts, target.adapter, cut=truncate))

        longest = target.bundle.manifest.embedding.max_length
        estimate = Estimate("embeddings", estimated_tokens(((text,) for text in texts), longest))
        found = await self._ask(note, Group(target.bundle, "embeddings"), prepare, texts, len(texts), estimate)
        return target, np.stack(found)

    async def adapter(self, name: str | None, family: FamilyName) -> AdapterPart | None:
        """What an adapter of a family is for, the only one where nothing is named.

        Raises:
            Refusal: no such adapter.
        """
        target = await self.open.catalog.answerer(name, family)
        return target.adapter.part if target.adapter else None

    async def embed_tokens(
        self, note: Note, name: str | None, texts: Sequence[str], *, truncate: bool
    ) -> tuple[Target, Scores]:
        """A vector for each token of each text, special ones too: `[tokens, hidden]` as the encoder gives them.

        Raises:
            Refusal: no such model, too much text, too many tokens, or no room.
            TooLongError: a text has too many tokens and may not be cut.
        """
        self._require_size(texts)
        target = await self.open.catalog.encoder(name)
        note.asks(target)
        most = self.settings.limits.token_vectors

        def prepare() -> Steps[Sequence[Row]]:
            rows = yield from target.bundle.prepare_texts_in_steps(texts, target.adapter, cut=truncate)
            if (tokens := sum(len(row.ids) for row in rows)) > most:
                raise Refusal(TOO_LARGE, f"{tokens} tokens in one request for their vectors are more than {most}")
            return rows

        longest = target.bundle.manifest.embedding.max_length
        estimate = Estimate("embeddings", estimated_tokens(((text,) for text in texts), longest))
        with self._room_for_token_vectors(sum(min(longest, len(text.encode())) for text in texts)):
            found = await self._ask(
                note, Group(target.bundle, "token vectors"), prepare, texts, len(texts), estimate
            )
        return target, found

    async def tokenize(
        self, note: Note, name: str | None, texts: Sequence[str], *, special_tokens: bool
    ) -> list[list[Token]]:
        """The tokens that `embed` makes of each text, none cut off.

        Raises:
            Refusal: no such model, too much text, or no room.
            TooLongError: there are too many tokens.
        """
        self._require_size(texts)
        target = await self.open.catalog.encoder(name)
        note.asks(target)
        limits = self.settings.limits
        found: list[list[Token]] = []

        def prepare() -> Steps[Sequence[Row]]:
            room = limits.tokens
            for text in texts:
                tokens = yield from target.bundle.tokenize_in_steps(
                    text, limits.characters, special_tokens=special_tokens
                )
                room -= len(tokens)
                if room < 0:
                    raise Refusal(TOO_LARGE, f"the texts of one request have more than {limits.tokens} tokens")
                found.append(tokens)
            return ()

        await self._ask(note, Group(target.bundle, "embeddings"), prepare, texts, len(texts), Estimate("tokens"))
        note.tokens = sum(map(len, found))
        return found

    async def decode(
        self, note: Note, name: str | None, ids: Sequence[Sequence[int]], *, skip_special_tokens: bool
    ) -> list[str]:
        """The texts of lists of token ids.

        Raises:
            Refusal: no such model, too many ids, or no room.
        """
        self._require_size(ids, "ids")
        target = await self.open.catalog.encoder(name)
        note.asks(target)
        found: list[str] = []

        def prepare() -> Steps[Sequence[Row]]:
            for own in ids:
                found.append(target.bundle.decode(own, skip_special_tokens=skip_special_tokens))
                yield
            return ()

        await self._ask(note, Group(target.bundle, "embeddings"), prepare, ids, len(ids), Estimate("ids"))
        note.tokens = sum(map(len, ids))
        return found

    async def answer(
        self,
        note: Note,
        name: str | None,
        family: FamilyName,
        inputs: Sequence[Any],
        texts: Sequence[str],
        *,
        truncate: bool = True,
    ) -> tuple[Target, list[tuple[Prepared, Scores]]]:
        """What the network says of each input, with its decoder.

        Args:
            note: is completed.
            name: of an adapter.
            family: that the adapter has to be of.
            inputs: in the form of the family.
            texts: all that are in the inputs.
            truncate: whether texts to classify are cut where they are too long.

        Raises:
            Refusal: no such adapter, too much text, or no room.
            TooLongError: a text has too many tokens and may not be cut.
        """
        self._require_size(texts)
        target = await self.open.catalog.answerer(name, family)
        note.asks(target)
        prepared: list[Prepared] = []

        def prepare() -> Steps[Sequence[Row]]:
            assert target.adapter is not None  # noqa: S101 answerer() found it
            prepared.extend((yield from target.bundle.prepare_in_steps(inputs, target.adapter, cut=truncate)))
            return [row for item in prepared for row in item.rows]

        if not inputs:
            return target, []
        given = [(text,) for text in texts] if family == "tagging" else inputs
        estimate = family_estimate(family, given, target.adapter.part.max_length if target.adapter else 0)
        scores = iter(await self._ask(note, Group(target.bundle, "scores"), prepare, texts, len(inputs), estimate))
        return target, [(item, [next(scores) for _ in item.rows]) for item in prepared]

    async def _ask(
        self,
        note: Note,
        group: Group,
        prepare: Callable[[], Steps[Sequence[Row]]],
        texts: Sequence[Sized],
        inputs: int,
        estimate: Estimate,
    ) -> Scores:
        self.metrics.asked(note.adapter or "none")
        note.inputs = inputs
        sequences = max(inputs, len(texts) // 2)
        held = request_bytes(estimate.kind, texts, sequences)
        demand = Demand(sequences, characters=sum(map(len, texts)), held=held)
        rows, found = await self.open.batcher.ask(group, note.client, prepare, demand, estimate)
        note.tokens = sum(len(row.ids) for row in rows)
        return found

    @contextlib.contextmanager
    def _room_for_token_vectors(self, expected: int) -> Iterator[None]:
        """While an answer of token vectors is made: all of them together may have so many only."""
        if self.token_vectors and self.token_vectors + expected > self.settings.queue.token_vectors:
            raise Refusal(TOO_MANY, "over capacity for vectors of tokens; try again later", 1)
        self.token_vectors += expected
        try:
            yield
        finally:
            self.token_vectors -= expected

    def _require_size(self, texts: Sequence[Sized], measure: str = "characters") -> None:
        limits = self.settings.limits
        if len(texts) > limits.inputs:
            raise Refusal(TOO_LARGE, f"{len(texts)} texts in one request are more than {limits.inputs}")
        longest = max(map(len, texts), default=0)
        if longest > limits.characters:
            raise Refusal(TOO_LARGE, f"a text of {longest} {measure} is longer than {limits.characters}")
