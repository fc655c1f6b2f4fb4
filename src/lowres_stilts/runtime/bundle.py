"""A bundle, ready to answer."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lowres_stilts.errors import BundleError, UsageError
from lowres_stilts.names import require_folder, require_utf8
from lowres_stilts.runtime.adapter_folder import read_adapter_folder
from lowres_stilts.runtime.adapters import Adapter, load_adapter
from lowres_stilts.runtime.families import FAMILIES, Encoded, require_characters
from lowres_stilts.runtime.manifest import TOKENIZER, AdapterPart, Manifest, read_manifest
from lowres_stilts.runtime.network import Network, Row
from lowres_stilts.runtime.predictions import Prediction
from lowres_stilts.runtime.session import CPU
from lowres_stilts.runtime.sums import verify_sums
from lowres_stilts.text.encode import require_whole, texts_in_steps
from lowres_stilts.text.slices import Steps, finish, read_whole
from lowres_stilts.text.tokens import Token, tokens_in_steps

TOKENS_PER_BATCH = 4096
Name = str | Adapter
"""Of an adapter, or one that was loaded: it can be used even after it was removed."""
Names = Name | Sequence[Name]


@dataclass(frozen=True)
class Prepared:
    """An input on its way through the network."""

    rows: Sequence[Row]
    """Its sequences: several where a context is cut into windows, or where there are choices."""
    decode: Callable[[Sequence[NDArray[np.float32]]], Prediction]
    """From the scores of its sequences to its answer."""


class Bundle:
    """One frozen base and its adapters. Safe to use from several threads."""

    def __init__(self, folder: Path, manifest: Manifest, network: Network, tokenizer: Tokenizer) -> None:
        self.folder = folder
        self.manifest = manifest
        self.network = network
        self._tokenizer = tokenizer
        self._adapters: dict[str, Adapter] = {}
        self._changing = threading.Lock()
        # Nothing is set after this, so that several threads can use it.
        read_whole(tokenizer)

    @classmethod
    def load(
        cls, path: Path | str, *, threads: int | None = None, providers: Sequence[str] = CPU, spin: bool = True
    ) -> Self:
        """Opens a bundle with all its adapters.

        Args:
            path: the bundle's folder.
            threads: how many work on one run; as many as this process has cores where it is not given.
            providers: onnxruntime's execution providers, the preferred one first.
            spin: whether waiting threads keep their cores busy: faster alone, slower beside other work.

        Raises:
            BundleError: it is damaged or unsafe, or its files contradict each other.
            UsageError: its path is not UTF-8.
        """
        folder = Path(path)
        require_utf8(folder)
        require_folder(folder, BundleError, "`lowres-stilts export` writes bundles")
        verify_sums(folder)
        manifest = read_manifest(folder)
        network = Network(folder, manifest.base, threads=threads, providers=providers, spin=spin)
        network.require_layer(manifest.embedding.layer)
        bundle = cls(folder, manifest, network, _tokenizer(folder / TOKENIZER))
        bundle._require_length(manifest.embedding.max_length, "embedding")
        for part in manifest.adapters:
            bundle.add_adapter(folder / part.file, part)
        return bundle

    @property
    def loaded(self) -> dict[str, Adapter]:
        """The loaded adapters by name."""
        return dict(self._adapters)

    @property
    def adapters(self) -> tuple[str, ...]:
        """The names of the loaded adapters."""
        return tuple(self._adapters)

    def adapter(self, name: str) -> AdapterPart:
        """What an adapter is for.

        Raises:
            UsageError: there is none of this name.
        """
        return self._find(name).part

    def add_adapter(self, path: Path, part: AdapterPart) -> None:
        """Loads an adapter, or a new one in the place of one of the same name; runs in progress keep the old one.

        Raises:
            BundleError: it is damaged, or made for another base.
        """
        self._require_length(part.max_length, part.name)
        own, inputs = self.network.own_graph(part) if part.own_graph else (None, self.network.inputs)
        adapter = load_adapter(path, part, inputs, own)
        self.network.require_fit(path, adapter, FAMILIES[part.family].head)
        self.put_back(adapter)

    def put_back(self, adapter: Adapter) -> None:
        """Makes a loaded adapter, which was replaced or removed, the one of its name again."""
        with self._changing:
            self._adapters = {**self._adapters, adapter.part.name: adapter}

    def load_adapter(self, folder: Path | str) -> AdapterPart:
        """Loads an adapter that was exported into a folder of its own, and says what it is.

        Raises:
            BundleError: it is damaged, or made for another base.
        """
        path, part = read_adapter_folder(Path(folder), self.manifest.base)
        self.add_adapter(path, part)
        return part

    def remove_adapter(self, name: str) -> None:
        """Forgets an adapter; runs in progress keep it.

        Raises:
            UsageError: there is none of this name.
        """
        with self._changing:
            removed = self._find(name)
            self._adapters = {key: value for key, value in self._adapters.items() if key != name}
        self.network.forget(removed)

    def predict(
        self, inputs: Sequence[Any], adapter: Names, *, tokens_per_batch: int = TOKENS_PER_BATCH
    ) -> list[Prediction]:
        """Answers in the order of the inputs, in the form of their adapters' families.

        Args:
            inputs: classification: a text, or for an adapter that was trained on pairs, a pair; tagging: a text,
                whose words are found (`text.words`), or a list of words; question answering: a question and its
                context; multiple choice: a prompt and a list of choices.
            adapter: one for all inputs, or one for each; different ones share their batches.
            tokens_per_batch: most tokens of a batch, padding counted in.

        Raises:
            UsageError: there is no such adapter, or an input has another form than it takes.
        """
        prepared = self.prepare(inputs, adapter)
        scores = iter(self.network.scores([row for item in prepared for row in item.rows], tokens_per_batch))
        return [item.decode([next(scores) for _ in item.rows]) for item in prepared]

    def prepare(self, inputs: Sequence[Any], adapter: Names, *, cut: bool = True) -> list[Prepared]:
        """The sequences of `predict`, for a caller who makes batches of its own with `network.scores`.

        Args:
            inputs: as those of `predict`.
            adapter: one for all inputs, or one for each.
            cut: whether texts that are too long to be classified are cut, as in training.

        Raises:
            UsageError: there is no such adapter, or an input has another form.
            TooLongError: a text would be cut and may not be.
        """
        return finish(self.prepare_in_steps(inputs, adapter, cut=cut))

    def prepare_in_steps(
        self, inputs: Sequence[Any], adapter: Names, *, cut: bool = True
    ) -> Steps[list[Prepared]]:
        """`prepare`, for a caller who has other work to do between the steps."""
        _require_several(inputs)
        adapters = [self._find(name) for name in _each(adapter, len(inputs))]
        families = [FAMILIES[own.part.family] for own in adapters]
        given = []
        for family, own, item in zip(families, adapters, inputs, strict=True):
            given.append(family.check(own.part, item))
            require_characters(given[-1])
            yield
        encoded = yield from self._encoded(adapters, given, cut=cut)
        return [
            Prepared(
                [Row(ids, own, family.head) for ids in parts.ids], partial(family.decode, own.part, item, parts)
            )
            for own, family, item, parts in zip(adapters, families, given, encoded, strict=True)
        ]

    def embed(
        self, texts: Sequence[str], adapter: str | None = None, *, tokens_per_batch: int = TOKENS_PER_BATCH
    ) -> NDArray[np.float32]:
        """Unit vectors `[texts, hidden]`, of the bare encoder or with an adapter.

        Raises:
            UsageError: there is no such adapter, or something is no text.
        """
        rows = self.prepare_texts(texts, adapter)
        return self.network.embeddings(rows, self.manifest.embedding, tokens_per_batch)

    def prepare_texts(self, texts: Sequence[str], adapter: Name | None = None, *, cut: bool = True) -> list[Row]:
        """The sequences of `embed`, for a caller who makes batches of its own with `network.embeddings`.

        Raises:
            UsageError: there is no such adapter, or something is no text.
            TooLongError: a text is too long and may not be cut.
        """
        return finish(self.prepare_texts_in_steps(texts, adapter, cut=cut))

    def prepare_texts_in_steps(
        self, texts: Sequence[str], adapter: Name | None = None, *, cut: bool = True
    ) -> Steps[list[Row]]:
        """`prepare_texts`, for a caller who has other work to do between the steps."""
        _require_several(texts)
        if not all(isinstance(text, str) for text in texts):
            raise UsageError("embed takes texts only")
        require_characters(tuple(texts))
        settings = self.manifest.embedding
        own = None if adapter is None else self._find(adapter)
        pairs = [(settings.prefix + text, None) for text in texts]
        ids = yield from texts_in_steps(self._tokenizer, pairs, settings.max_length)
        if not cut:
            yield from require_whole(self._tokenizer, pairs, ids, settings.max_length)
        return [Row(row, own, "sequence") for row in ids]

    def tokenize_in_steps(self, text: str, most: int, *, special_tokens: bool = True) -> Steps[list[Token]]:
        """The tokens that `embed` makes of a text, the prefix before it included; nothing is cut off.

        Args:
            text: to which the bundle's prefix is put.
            most: characters that both may have, and tokens.
            special_tokens: whether those at the start and end are among them.

        Raises:
            UsageError: it has half of a surrogate pair in it.
            TooLongError: there are more.
        """
        require_characters(text)
        text = self.manifest.embedding.prefix + text
        return (yield from tokens_in_steps(self._tokenizer, text, most, special_tokens=special_tokens))

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        """The text of tokens; ids that are not in the vocabulary have none."""
        text: str = self._tokenizer.decode(ids, skip_special_tokens=skip_special_tokens)
        return text

    def _encoded(self, adapters: Sequence[Adapter], given: Sequence[Any], *, cut: bool) -> Steps[list[Encoded]]:
        """The inputs of each adapter together, as tokenizers are fast on many texts."""
        found: list[Encoded | None] = [None] * len(given)
        for adapter in dict.fromkeys(adapters):
            chosen = [number for number, own in enumerate(adapters) if own is adapter]
            part, inputs = adapter.part, [given[number] for number in chosen]
            encoded = yield from FAMILIES[part.family].encode(self._tokenizer, inputs, part.max_length)
            if not cut and part.family == "classification":
                ids = [item.ids[0] for item in encoded]
                yield from require_whole(self._tokenizer, inputs, ids, part.max_length)
            for number, item in zip(chosen, encoded, strict=True):
                found[number] = item
        return [item for item in found if item is not None]

    def _require_length(self, length: int, name: str) -> None:
        most = self.manifest.base.max_length
        if length > most:
            raise BundleError(
                f"{self.folder}: {name} takes {length} tokens, but the base takes {most}; get it anew"
            )

    def _find(self, name: Name) -> Adapter:
        if isinstance(name, Adapter):
            return name
        if name not in self._adapters:
            raise UsageError(f"adapter {name!r} is not loaded; there are {', '.join(self._adapters) or 'none'}")
        return self._adapters[name]


def _require_several(inputs: Sequence[Any]) -> None:
    if isinstance(inputs, str):
        raise UsageError("expected a list of inputs, found one text; put it into a list")


def _each(adapter: Names, count: int) -> Sequence[Name]:
    names = [adapter] * count if isinstance(adapter, str | Adapter) else adapter
    if len(names) != count:
        raise UsageError(f"{len(names)} adapters for {count} inputs: give one for all, or one for each")
    return names


def _tokenizer(path: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises nothing more special
        raise BundleError(f"{path}: no tokenizer: {' '.join(str(error).split())[:200]}") from error
