"""Whether a bundle may be written: it must answer as torch does."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from lowres_stilts.errors import ExportError
from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.evaluation.predict import predict
from lowres_stilts.export.assemble import Material
from lowres_stilts.export.calibrate import Calibration
from lowres_stilts.export.int8 import Range
from lowres_stilts.export.parity import (
    largest_state_difference,
    least_cosine,
    require,
    sample,
    score_differences,
    torch_scores,
)
from lowres_stilts.export.products import Floats  # noqa: TC001 - beside what is used while running
from lowres_stilts.export.scores import bundle_scores
from lowres_stilts.export.sources import Item
from lowres_stilts.hub.load import Loaded
from lowres_stilts.names import module_name
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
        material: Material,
        tests: Tests | None,
        tolerance: float,
        *,
        calibrate: bool,
        say: Callable[[str], object],
    ) -> None:
        """Asks torch.

        Args:
            material: what goes into the bundle.
            tests: gives the evaluation data of an adapter's task.
            tolerance: points that the mean of all scores may lose.
            calibrate: whether to collect the ranges of the layers' inputs.
            say: told of every step.
        """
        self._material = material
        self._tolerance = tolerance
        self._say = say
        self._inputs = sample(material.encoder)
        self._tests = {item.name: _tests_of(item, tests) for item in material.items} if tests else {}
        self._calibration = Calibration(material.encoder.model) if calibrate else None
        self._scores: dict[str, list[Floats]] = {}
        self._points: Scores = {}
        for item in material.items:
            self._measure(item)

    @property
    def ranges(self) -> dict[str, Range]:
        """The ranges of the layers' inputs, where they were collected."""
        return self._calibration.ranges if self._calibration else {}

    def graphs(self, bundle: Bundle) -> dict[str, Any]:
        """Differences of a float32 bundle.

        Raises:
            ExportError: one is too large.
        """
        states = require("the float32 graph", largest_state_difference(bundle.network, self._inputs))
        found = score_differences(bundle.network, bundle.loaded, self._scores, self._inputs)
        scores = {name: require(f"adapter {name} in the float32 graph", value) for name, value in found.items()}
        lengths = [len(batch) for batch in self._inputs.batches]
        return {"float32": {"states": states, "scores": scores, "batches": sorted(set(lengths))}}

    def quantized(self, bundle: Bundle) -> dict[str, Any]:
        """Likeness of a bundle's hidden states."""
        return {"least_cosine": least_cosine(bundle.network, self._inputs)}

    def scores(self, bundle: Bundle) -> dict[str, Any]:
        """Scores of a bundle beside torch's, where there is evaluation data.

        Raises:
            ExportError: their mean falls too far.
        """
        return {"scores": self._compared(bundle) if self._tests else None}

    def _compared(self, bundle: Bundle) -> dict[str, Any]:
        own: Scores = {}
        for item in self._material.items:
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
        encoder, whole_encoder = self._material.encoder, self._material.whole
        loaded = item.over(encoder)
        with self._watching(loaded):
            self._scores[item.name] = torch_scores(item, loaded, self._inputs)
        if self._tests:
            whole = loaded if whole_encoder is encoder else item.over(whole_encoder)
            self._points[item.name] = self._measured(item, whole)

    def _measured(self, item: Item, loaded: Loaded) -> dict[str, float]:
        metric, tokenizer = METRICS[item.task.metric], loaded.encoder.tokenizer
        points = {}
        for language, examples in self._tests[item.name].items():
            features = cached_features(item.task, examples, tokenizer, item.task.max_length)
            with self._watching(loaded):
                answers = predict(loaded.network, loaded.encoder, item.task, examples, features, TOKENS)
            points[language] = metric.score(metric.table(answers_of(item.task, examples), answers, language))
        return points

    def _watching(self, loaded: Loaded) -> AbstractContextManager[None]:
        return self._calibration.watching(loaded.stack.model) if self._calibration else nullcontext()


def _tests_of(item: Item, tests: Tests) -> Mapping[str, Sequence[Any]]:
    """Those of its language, where it is for one only."""
    return {
        language: found
        for language, found in tests(item.task).items()
        if item.language in {None, language, module_name(language)}
    }
