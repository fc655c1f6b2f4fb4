"""Answers of a package over its encoder, in torch, with the reading and decoding of bundles."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lowres_stilts.encoder.send import send_batch
from lowres_stilts.export.describe import adapter_part
from lowres_stilts.export.sources import Item, items_of
from lowres_stilts.hub.load import load_base, put_over
from lowres_stilts.hub.manifest import MANIFEST
from lowres_stilts.hub.pack import packages_of
from lowres_stilts.hub.verify import open_package
from lowres_stilts.pipeline.folder import RunFolder
from lowres_stilts.prediction.answerers import one_of
from lowres_stilts.runtime.batches import batches, padded
from lowres_stilts.runtime.bundle import TOKENS_PER_BATCH
from lowres_stilts.runtime.families import FAMILIES
from lowres_stilts.runtime.predictions import Prediction
from lowres_stilts.sums import sha256_of
from lowres_stilts.text.slices import finish, read_whole


class PackageAnswerer:
    """A package, or that of a run's target, over the encoder as it was in training."""

    def __init__(self, where: Path, adapter: str | None) -> None:
        """Loads encoder, module and head.

        Args:
            where: a package or a finished run.
            adapter: the name that it would have in a bundle; none where there is but one.

        Raises:
            LowresStiltsError: the package is damaged or has no such adapter, or the encoder cannot be loaded.
        """
        item = _find(where, adapter)
        package = item.package
        encoder = load_base(package, package.manifest.base)
        self._loaded = put_over(encoder, package, {item.task.name: item.task})
        self._loaded.speak(item.language or "en")
        self._loaded.network.eval()
        read_whole(encoder.tokenizer)
        self.part = adapter_part(item, encoder)
        self.version = sha256_of(package.folder / MANIFEST)

    def answers(self, asked: Sequence[Any], *, tokens_per_batch: int = TOKENS_PER_BATCH) -> list[Prediction]:
        """In the order of what is asked, with at most so many tokens in a batch, padding counted in."""
        family = FAMILIES[self.part.family]
        given = [family.check(self.part, item) for item in asked]
        encoded = finish(family.encode(self._loaded.encoder.tokenizer, given, self.part.max_length))
        scores = iter(self._scores([ids for parts in encoded for ids in parts.ids], tokens_per_batch))
        return [
            family.decode(self.part, item, parts, [next(scores) for _ in parts.ids])
            for item, parts in zip(given, encoded, strict=True)
        ]

    def _scores(self, rows: Sequence[list[int]], tokens: int) -> list[NDArray[np.float32]]:
        """Of each sequence: `[labels]`, or `[length, labels]` of its tokens."""
        encoder, per_token = self._loaded.encoder, FAMILIES[self.part.family].head == "token"
        found: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(rows)
        with torch.inference_mode():
            for chosen in batches([len(ids) for ids in rows], tokens):
                ids, mask = send_batch(encoder, *padded([rows[number] for number in chosen], encoder.pad_id))
                scores = self._loaded.network(self.part.task, ids, mask).float().cpu().numpy()
                for place, number in enumerate(chosen):
                    found[number] = scores[place, : len(rows[number])] if per_token else scores[place]
        return found


def _find(where: Path, adapter: str | None) -> Item:
    """The adapter that is meant: of a package, or of a run's last phase, which is its target."""
    is_run = RunFolder(where).is_run
    package = open_package(packages_of(where)[-1] if is_run else where)
    items = {item.name: item for item in items_of([package])}
    return items[one_of(list(items), adapter, where)]
