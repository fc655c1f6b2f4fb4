"""Sequences through the base's graphs, in batches that may mix adapters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from lowres_stilts.errors import BundleError
from lowres_stilts.runtime.adapters import Adapter, Inputs, stack_bytes, stack_shapes, stacked
from lowres_stilts.runtime.batches import batches, padded
from lowres_stilts.runtime.families import HeadName
from lowres_stilts.runtime.manifest import BARE, MIXED, MODEL, AdapterPart, BasePart, EmbeddingPart
from lowres_stilts.runtime.names import HIDDEN, IDS, INDEX, MASK, SEQUENCE, TOKEN, states_of
from lowres_stilts.runtime.session import graph_errors, open_session, optional_inputs, require_listed_weights

STACKED = 16
"""Adapters that stay stacked for the next batch."""
LARGEST_STACK = 1_000_000_000
"""Bytes; adapters that would take more are run one after the other."""


@dataclass(frozen=True)
class Row:
    """A sequence and whose it is."""

    ids: Sequence[int]
    adapter: Adapter | None
    head: HeadName


class Network:
    """The base in its forms: one adapter for a batch, one for each of its rows, or none."""

    def __init__(
        self, folder: Path, base: BasePart, *, threads: int | None, providers: Sequence[str], spin: bool = True
    ) -> None:
        self._folder = folder
        self._base = base
        self._threads = threads
        self._providers = providers
        self._spin = spin
        self._single = self._session(MODEL)
        with graph_errors(folder / MODEL):
            self.inputs: Inputs = optional_inputs(self._single)
            self._outputs = {output.name for output in self._single.get_outputs()}
        self._bank: tuple[tuple[Adapter, ...], dict[str, Any]] = ((), {})

    def own_graph(self, part: AdapterPart) -> tuple[onnxruntime.InferenceSession, Inputs]:
        """An adapter's own graph, and its optional inputs.

        Raises:
            BundleError: the graph is damaged, or does not give what is asked of it.
        """
        session = self._session(part.graph)
        with graph_errors(self._folder / part.graph):
            if missing := self._outputs - {output.name for output in session.get_outputs()}:
                raise BundleError(
                    f"{self._folder / part.graph}: does not give {min(missing)}; get the bundle anew"
                )
            return session, optional_inputs(session)

    def require_layer(self, layer: int) -> None:
        """Whether the hidden states of a layer can be asked for.

        Raises:
            BundleError: the graph does not give them.
        """
        if self._states_of(layer) not in self._outputs:
            raise BundleError(
                f"{self._folder / MODEL}: does not give the hidden states of layer {layer}; get it anew"
            )

    def require_fit(self, path: Path, adapter: Adapter, head: HeadName) -> None:
        """Whether an adapter's weights go together, and its head has as many scores as it has labels.

        Raises:
            BundleError: they do not.
        """
        scores = self._run([TOKEN if head == "token" else SEQUENCE], [Row([self._base.pad_id], adapter, head)])[0]
        if scores.shape[-1] != adapter.part.outputs:
            raise BundleError(
                f"{path}: its head has {scores.shape[-1]} outputs, not {adapter.part.outputs}; get it anew"
            )

    @cached_property
    def _mixed(self) -> onnxruntime.InferenceSession:
        """Opened when it is needed first."""
        return self._session(MIXED)

    @cached_property
    def _bare(self) -> onnxruntime.InferenceSession:
        """Opened when it is needed first."""
        return self._session(BARE)

    def open_all(self) -> None:
        """Opens the forms that are otherwise opened when they are needed first."""
        _ = self._mixed, self._bare

    def forget(self, adapter: Adapter) -> None:
        """Lets go of a removed adapter's weights; runs in progress keep them."""
        if adapter in self._bank[0]:
            self._bank = ((), {})

    def scores(self, rows: Sequence[Row], tokens: int) -> list[NDArray[np.float32]]:
        """Scores of each sequence in order: `[labels]`, or `[length, labels]` of its tokens."""
        found: list[Any] = [None] * len(rows)
        for chosen in _batches(rows, tokens):
            part = [rows[number] for number in chosen]
            sequence, token = self._run([SEQUENCE, TOKEN], part)
            for place, (number, row) in enumerate(zip(chosen, part, strict=True)):
                own = token[place, : len(row.ids)] if row.head == "token" else sequence[place]
                found[number] = own[..., : row.adapter.part.outputs if row.adapter else None]
        return found

    def embeddings(self, rows: Sequence[Row], settings: EmbeddingPart, tokens: int) -> NDArray[np.float32]:
        """Unit vectors `[rows, hidden]`."""
        found = self.pooled(rows, settings, tokens)
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        unit: NDArray[np.float32] = found / np.maximum(lengths, 1e-12)
        return unit

    def pooled(self, rows: Sequence[Row], settings: EmbeddingPart, tokens: int) -> NDArray[np.float32]:
        """Vectors `[rows, hidden]` as long as they come."""
        found = np.zeros((len(rows), self._base.hidden), np.float32)
        for number, states in self._states(rows, settings.layer, tokens):
            found[number] = states.mean(axis=0) if settings.pooling == "mean" else states[0]
        return found

    def token_vectors(
        self, rows: Sequence[Row], settings: EmbeddingPart, tokens: int
    ) -> list[NDArray[np.float32]]:
        """What `pooled` makes its vectors of: one for each token, special ones too, `[length, hidden]`."""
        # Copies, as a part of a batch would keep all of it in memory.
        found = {number: states.copy() for number, states in self._states(rows, settings.layer, tokens)}
        return [found[number] for number in range(len(rows))]

    def states(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        """Last hidden states of one batch, `[rows, length, hidden]`."""
        return self._run([HIDDEN], rows)[0]

    def _states(self, rows: Sequence[Row], layer: int, tokens: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """The numbers of rows and their hidden states of a layer, `[length, hidden]`, batch by batch."""
        for chosen in _batches(rows, tokens):
            (states,) = self._run([self._states_of(layer)], [rows[number] for number in chosen])
            for number, own in zip(chosen, states, strict=True):
                yield number, own[: len(rows[number].ids)]

    def _run(self, outputs: Sequence[str], rows: Sequence[Row]) -> list[NDArray[np.float32]]:
        ids, mask = padded([row.ids for row in rows], self._base.pad_id)
        adapters = list(dict.fromkeys(row.adapter for row in rows))
        if len(adapters) == 1:
            return self._run_one(outputs, ids, mask, adapters[0])
        stack, weights = self._stack(adapters)
        if not stack:
            return self._run_apart(outputs, rows, ids, mask)
        places = {adapter: place for place, adapter in enumerate((None, *stack))}
        index = np.array([places[row.adapter] for row in rows], np.int64)
        given = {IDS: ids, MASK: mask, INDEX: index}
        values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(value) for name, value in given.items()}
        session = self._mixed
        with graph_errors(self._folder / MIXED):
            mixed = session.run_with_ort_values(outputs, values | weights)
        return [value.numpy() for value in mixed]

    def _run_one(
        self, outputs: Sequence[str], ids: NDArray[np.int64], mask: NDArray[np.int64], adapter: Adapter | None
    ) -> list[NDArray[np.float32]]:
        session = self._single if adapter or {SEQUENCE, TOKEN} & set(outputs) else self._bare
        if adapter is not None and adapter.own is not None:
            session = adapter.own
        options = adapter.active if adapter else None
        with graph_errors(self._folder):
            found: list[NDArray[np.float32]] = session.run(outputs, {IDS: ids, MASK: mask}, options)
        return found

    def _run_apart(
        self, outputs: Sequence[str], rows: Sequence[Row], ids: NDArray[np.int64], mask: NDArray[np.int64]
    ) -> list[NDArray[np.float32]]:
        """What a mixed run gives, from a run for each adapter."""
        found: list[NDArray[np.float32]] = []
        for adapter in dict.fromkeys(row.adapter for row in rows):
            chosen = [number for number, row in enumerate(rows) if row.adapter is adapter]
            several = self._run_one(outputs, ids[chosen], mask[chosen], adapter)
            found = found or [np.zeros((len(rows), *own.shape[1:]), np.float32) for own in several]
            for place, own in enumerate(several):
                missing = max(0, own.shape[-1] - found[place].shape[-1])
                found[place] = np.pad(found[place], [(0, 0)] * (own.ndim - 1) + [(0, missing)])
                found[place][chosen, ..., : own.shape[-1]] = own
        return found

    def _stack(self, adapters: Sequence[Adapter | None]) -> tuple[tuple[Adapter, ...], dict[str, Any]]:
        """The stacked weights of these and of others used lately; making a stack takes longer than a small run.

        Nothing where they are too large.
        """
        wanted = tuple(adapter for adapter in adapters if adapter is not None)
        bank = self._bank
        if set(wanted) <= set(bank[0]):
            return bank
        for kept in (tuple(dict.fromkeys((*wanted, *bank[0])))[: max(len(wanted), STACKED)], wanted):
            shapes = stack_shapes(kept, self.inputs, self._base.hidden)
            if stack_bytes(shapes) <= LARGEST_STACK:
                self._bank = bank = (kept, stacked(kept, shapes))
                return bank
        return (), {}

    def _states_of(self, layer: int) -> str:
        return states_of(layer, self._base.layers)

    def _session(self, file: str) -> onnxruntime.InferenceSession:
        path = self._folder / file
        require_listed_weights(path)
        return open_session(path, threads=self._threads, providers=self._providers, spin=self._spin)


def _batches(rows: Sequence[Row], tokens: int) -> Iterator[list[int]]:
    """Which rows go together: those of an adapter's own graph by themselves, the others mixed."""
    graphs: dict[int, list[int]] = {}
    for number, row in enumerate(rows):
        graphs.setdefault(id(row.adapter.own) if row.adapter else id(None), []).append(number)
    for numbers in graphs.values():
        for chosen in batches([len(rows[number].ids) for number in numbers], tokens):
            yield [numbers[place] for place in chosen]
