"""Answers of a bundle, and the choice between bundles and packages."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lowres_stilts.prediction.answerers import Answerer, one_of
from lowres_stilts.runtime.bundle import Bundle
from lowres_stilts.runtime.manifest import MANIFEST
from lowres_stilts.runtime.predictions import Prediction
from lowres_stilts.sums import sha256_of


class BundleAnswerer:
    """An adapter of a bundle, in onnxruntime."""

    def __init__(self, folder: Path, adapter: str | None) -> None:
        """Opens the bundle.

        Args:
            folder: the bundle.
            adapter: its name; none where there is but one.

        Raises:
            BundleError: it is damaged.
            UsageError: there is no such adapter, or several and none is named.
        """
        self._bundle = Bundle.load(folder)
        self.part = self._bundle.adapter(one_of(list(self._bundle.adapters), adapter, folder))
        self.version = sha256_of(folder / MANIFEST)

    def answers(self, asked: Sequence[Any]) -> list[Prediction]:
        """In the order of what is asked."""
        return self._bundle.predict(asked, self.part.name)


def open_answerer(where: Path, adapter: str | None) -> Answerer:
    """What answers for a bundle, a package or a finished run.

    Args:
        where: its folder.
        adapter: its name, as a bundle would have it; none where there is but one.

    Raises:
        LowresStiltsError: it is damaged or none of these, or there is no such adapter.
    """
    if (where / MANIFEST).is_file():
        return BundleAnswerer(where, adapter)
    # torch takes seconds to import, and a bundle needs none.
    from lowres_stilts.prediction.packages import PackageAnswerer  # noqa: PLC0415

    return PackageAnswerer(where, adapter)
