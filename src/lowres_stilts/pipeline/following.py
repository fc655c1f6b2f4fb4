"""A run that is followed from outside: what it logs goes to experiment trackers, too, through Accelerate."""

import contextlib
import importlib.util
import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lowres_stilts.display import Display
from lowres_stilts.errors import MissingExtraError, UsageError
from lowres_stilts.extras import install_command
from lowres_stilts.names import file_name
from lowres_stilts.pipeline.folder import RunFolder
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.storage import write_text

PROJECT = "lowres-stilts"
"""Of trackers that sort runs into projects, where their own variables name no other."""
ID = "follower-{}.txt"
"""The file in the run folder with a tracker's name of the run, by which a resumed one is gone on with."""
IMPATIENT = MappingProxyType({"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"})
"""A run should not wait for minutes until a server counts as away."""


def require_trackers(names: Sequence[str]) -> None:
    """Refuses trackers that there are not, or that are not installed.

    Raises:
        UsageError: there is no such tracker.
        MissingExtraError: its package is missing.
    """
    for name in names:
        if name not in TRACKERS:
            raise UsageError(f"--log: {name!r} is none of {', '.join(TRACKERS)}")
        if importlib.util.find_spec(name) is None:
            raise MissingExtraError(f"--log {name}: {name} is not installed: {install_command(name)} brings it")


@contextlib.contextmanager
def followed(folder: RunFolder, names: Sequence[str], recipe: Recipe, display: Display) -> Iterator[RunFolder]:
    """The run folder with trackers that are told what is logged there."""
    followers = [Follower(name, folder, recipe, display.line) for name in dict.fromkeys(names)]
    try:
        yield replace(folder, followers=tuple(followers))
    finally:
        for follower in followers:
            follower.finish()


class Follower:
    """Sends loss, learning rate, speed and scores of a run to one tracker, as they are logged.

    Steps count the updates of all phases, one after the other, so that they only grow; a resumed run goes on where
    it was. A tracker that fails is left out from then on.
    """

    def __init__(self, name: str, folder: RunFolder, recipe: Recipe, warn: Callable[[str], None]) -> None:
        self._name, self._folder, self._recipe, self._warn = name, folder.path, recipe, warn
        self._updates = folder.updates()
        self._tasks: dict[str, float] = {}
        self._tracker: Any = None
        self._failed = False

    def __call__(self, event: str, details: Mapping[str, Any]) -> None:
        """Sends what a tracker shows of an event."""
        phase = str(details.get("phase", ""))
        if event == "dev scores":  # their update is that of the look that they belong to
            self._tasks = {f"{phase}/dev/{file_name(task)}": score for task, score in details["scores"].items()}
        elif event == "dev":
            self._send(self._step(phase, details["update"]), {f"{phase}/dev": details["score"], **self._tasks})
            self._tasks = {}
        elif event == "update":
            values = {key: details[key] for key in ("loss", "learning_rate", "tokens_per_second")}
            self._send(
                self._step(phase, details["update"]), {f"{phase}/{key}": value for key, value in values.items()}
            )
        elif event == "results":
            self._send(sum(self._updates.values()), dict(_final(details)))

    def finish(self) -> None:
        """Ends what was sent."""
        if self._tracker is not None:
            self._safely(self._tracker.finish)
        self._tracker = None

    def _step(self, phase: str, update: int) -> int:
        self._updates[phase] = max(update, self._updates.get(phase, 0))
        return update + sum(count for name, count in self._updates.items() if name != phase)

    def _send(self, step: int, values: Mapping[str, float]) -> None:
        self._safely(lambda: self._started().log(values, step=step))

    def _started(self) -> Any:
        if self._tracker is None:
            from accelerate.state import PartialState  # noqa: PLC0415 - seconds

            PartialState()  # trackers ask it whether they are in the main process
            known = self._folder / ID.format(self._name)
            before = known.read_text(encoding="utf-8") if known.exists() else None
            tracker = TRACKERS[self._name](self._folder, self._recipe.name, before)
            tracker.start()
            if before is None:
                tracker.store_init_configuration(settings_of(self._recipe))
                write_text(known, _id_of(tracker))
            self._tracker = tracker
        return self._tracker

    def _safely(self, work: Callable[[], object]) -> None:
        """Whatever a tracker raises must not end a run: its libraries let errors of many others through."""
        if self._failed:
            return
        try:
            work()
        except Exception as error:
            self._failed = True
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            self._warn(f"warning: --log {self._name} failed, and the run goes on without it: {reason}")


def settings_of(recipe: Recipe) -> dict[str, str | int | float | bool]:
    """All settings by their keys with dots; lists as JSON, what is not set as an empty text."""
    return dict(_flat(recipe.model_dump(mode="json"), ""))


def _flat(value: Any, key: str) -> Iterator[tuple[str, str | int | float | bool]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}".lstrip("."))
    elif isinstance(value, list):
        yield key, json.dumps(value, ensure_ascii=False)
    else:
        yield key, "" if value is None else value


def _final(results: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Scores, baseline and gain by task and language, and their means."""
    for side in ("scores", "baseline", "gain"):
        for task, languages in results.get(side, {}).items():
            for language, score in languages.items():
                yield f"{side}/{file_name(task)}/{file_name(language)}", score["value"]
    for task, means in results.get("mean_without_english", {}).items():
        for side, mean in means.items():
            yield f"mean-without-en/{file_name(task)}/{side}", mean["value"]


def _tensorboard(folder: Path, name: str, known: str | None) -> Any:
    from accelerate.tracking import TensorBoardTracker  # noqa: PLC0415 - seconds

    return TensorBoardTracker("tensorboard", folder)


def _mlflow(folder: Path, name: str, known: str | None) -> Any:
    import mlflow  # noqa: PLC0415 - an extra
    from accelerate.tracking import MLflowTracker  # noqa: PLC0415 - seconds

    os.environ.update({key: value for key, value in IMPATIENT.items() if key not in os.environ})
    if "MLFLOW_TRACKING_URI" not in os.environ:
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # a database would need more than its client
    mlflow.set_tracking_uri(os.environ.get("MLFLOW_TRACKING_URI") or (folder.absolute() / "mlflow").as_uri())
    return MLflowTracker(PROJECT, run_id=known, run_name=name)


def _wandb(folder: Path, name: str, known: str | None) -> Any:
    from accelerate.tracking import WandBTracker  # noqa: PLC0415 - seconds

    os.environ.setdefault("WANDB_SILENT", "true")
    project = os.environ.get("WANDB_PROJECT", PROJECT)
    return WandBTracker(project, name=name, dir=str(folder), id=known or uuid.uuid4().hex, resume="allow")


def _id_of(tracker: Any) -> str:
    """What a tracker calls the run."""
    if tracker.name == "mlflow":
        return str(tracker.tracker.info.run_id)
    return str(getattr(tracker.tracker, "id", tracker.name))


TRACKERS = MappingProxyType({"tensorboard": _tensorboard, "mlflow": _mlflow, "wandb": _wandb})
"""By the names of their packages and of the extras that bring them."""
