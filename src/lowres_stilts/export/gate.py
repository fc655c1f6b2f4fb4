"""Whether a bundle may be written: it must answer as torch does."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lowres_stilts.encoder.load import Encoder
from lowres_stilts.errors import ExportError
from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.evaluation.predict import predict
from lowres_stilts.export.calibrate import Calibration
from lowres_stilts.export.parity import (
    Floats,
    largest_state_difference,
    least_cosine,
    require,
    sample,
    score_differences,
    torch_scores,
)
from lowres_stilts.export.scores import bundle_scores
from lowres_stilts.export.sources import Item
from lowres_stilts.hub.load import Loaded
from lowres_stilts.pipeline.material import answers_of
from lowres_stilts.runtime.bundle import Bundle
from lowres_stilts.tasks.cache import cached_features
from lowres_stilts.tasks.task import Task

Tests = Callable[[Task], Mapping[str, Sequence[Any]]]
"""Labelled examples of a task, by language; none where there are none."""
Scores = dict[str, dict[str, float]]
"""Points by adapter and language."""
TOKENS = 4096


class Gate:
    """What torch says, and whether a bundle says the same."""

    def __init__(
        self,
        encoder: Encoder,
        whole: Encoder,
        items: Sequence[Item],
        tests: Tests | None,
        tolerance: float,
        say: Callable[[str], object],
    ) -> None:
        self._encoder = encoder
        self._whole = whole
        self._items = items
        self._tolerance = tolerance
        self._say = say
        self._inputs = sample(encoder)
        self._tests = {item.name: tests(item.task) for item in items} if tests else {}
        self.calibration = Calibration()
        self._scores: dict[str, list[Floats]] = {}
        self._points: Scores = {}
        for item in items:
            self._measure(item)

    def graphs(self, folder: Path) -> dict[str, Any]:
        """Differences of a float32 bundle.

        Raises:
            ExportError: one is too large.
        """
        bundle = Bundle.load(folder)
        states = require("the float32 graph", largest_state_difference(bundle.network, self._inputs))
        found = score_differences(bundle.network, bundle.loaded, self._scores, self._inputs)
        scores = {name: require(f"adapter {name} in the float32 graph", value) for name, value in found.items()}
        lengths = [len(batch) for batch in self._inputs.batches]
        return {"float32": {"states": states, "scores": scores, "batches": sorted(set(lengths))}}

    def quantized(self, folder: Path) -> dict[str, Any]:
        """Likeness of a quantized bundle, and its scores where there is evaluation data.

        Raises:
            ExportError: the mean of the scores falls too far.
        """
        bundle = Bundle.load(folder)
        found: dict[str, Any] = {"least_cosine": least_cosine(bundle.network, self._inputs), "scores": None}
        if self._tests:
            found["scores"] = self._compared(bundle)
        return {"quantized": found}

    def _compared(self, bundle: Bundle) -> dict[str, Any]:
        own: Scores = {}
        for item in self._items:
            self._say(f"scores of {item.name}")
            own[item.name] = bundle_scores(bundle, item.name, item.task, self._tests[item.name])
        losses = [
            torch_points - own[name][language]
            for name, points in self._points.items()
            for language, torch_points in points.items()
        ]
        loss = float(np.mean(losses)) if losses else 0.0
        if not loss <= self._tolerance:
            raise ExportError(
                f"quantized scores are {loss:.2f} points below float32 torch on average, over "
                f"{self._tolerance:g}: nothing was written; raise --tolerance, or take --quantize none"
            )
        return {"float32_torch": self._points, "bundle": own, "mean_loss": loss, "tolerance": self._tolerance}

    def _measure(self, item: Item) -> None:
        """What torch says of the sentences, and of evaluation data with the whole vocabulary."""
        self._say(f"torch with {item.name}")
        loaded = item.over(self._encoder)
        with self.calibration.watching(loaded.stack.model):
            self._scores[item.name] = torch_scores(item, loaded, self._inputs)
        if self._tests:
            whole = loaded if self._whole is self._encoder else item.over(self._whole)
            self._points[item.name] = self._measured(item, whole)

    def _measured(self, item: Item, loaded: Loaded) -> dict[str, float]:
        metric, tokenizer = METRICS[item.task.metric], loaded.encoder.tokenizer
        points = {}
        for language, examples in self._tests[item.name].items():
            features = cached_features(item.task, examples, tokenizer, item.task.max_length)
            with self.calibration.watching(loaded.stack.model):
                answers = predict(loaded.network, loaded.encoder, item.task, examples, features, TOKENS)
            points[language] = metric.score(metric.table(answers_of(item.task, examples), answers, language))
        return points
