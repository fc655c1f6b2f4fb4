"""The run folder: where everything of a run is, and who may write there."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from lowres_stilts.errors import RunError, UsageError
from lowres_stilts.names import file_name, require_utf8
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.storage import locked, remove_leftovers, storage_errors, write_json, write_text

OPEN = tuple(f".train.{name}" for name in ("epochs", "lr", "head_lr", "tokens_per_batch", "evaluate_every"))
"""How the keys end that data may choose."""
BEFORE_WORK = {"recipe.yaml", "log.jsonl"}
"""All that there is of a run before its first phase or prediction."""


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run."""

    path: Path
    shared: Mapping[str, Path] = field(default_factory=dict)
    """Folders of phases that lie elsewhere, by name: several runs may share them."""
    silent: bool = False
    """Nothing is logged: another process does that."""
    followers: tuple[Callable[[str, Mapping[str, Any]], None], ...] = ()
    """Told every event that is logged with its details, and the results as the event `results`."""

    @property
    def recipe(self) -> Path:
        """The recipe as resolved when the run began."""
        return self.path / "recipe.yaml"

    @property
    def results_file(self) -> Path:
        """There when the run is finished."""
        return self.path / "results.json"

    @property
    def is_run(self) -> bool:
        """Whether a run was begun here."""
        return self.recipe.is_file() or (self.path / "phases").is_dir()

    def phase(self, name: str) -> Path:
        """Checkpoint and module of one phase."""
        return self.shared.get(name, self.path / "phases" / name)

    def predictions(self, arm: str, task: str, file: str) -> Path:
        """Predictions in XTREME's submission format; those of the baseline in a folder of their own."""
        return self.path / arm / file_name(task) / file

    def results(self) -> dict[str, Any] | None:
        """The results of a finished run."""
        if not self.results_file.exists():
            return None
        results: dict[str, Any] = json.loads(self.results_file.read_text(encoding="utf-8"))
        return results

    def finish(self, results: dict[str, Any]) -> None:
        """Writes the results; from then on the run is finished."""
        write_json(self.results_file, results)
        self._tell("results", results)

    def settle(self, recipe: Recipe) -> None:
        """Keeps the recipe with all that the data decides.

        Raises:
            UsageError: the run was started with other settings.
        """
        if not self.silent:
            _require_same(self.recipe, recipe)
            write_text(self.recipe, recipe.as_yaml())

    def log(self, event: str, **details: Any) -> None:
        """Adds a line to `log.jsonl`."""
        if self.silent:
            return
        entry = {"time": round(time.time(), 3), "event": event, **details}
        path = self.path / "log.jsonl"
        with storage_errors(path), path.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self._tell(event, details)

    def events(self) -> Iterator[dict[str, Any]]:
        """What was logged until now; a line that a killed process left unfinished is passed over."""
        path = self.path / "log.jsonl"
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else ():
            with contextlib.suppress(json.JSONDecodeError):
                yield json.loads(line)

    def updates(self) -> dict[str, int]:
        """The last update that was logged, by phase, in the order of the phases."""
        return {event["phase"]: event["update"] for event in self.events() if event["event"] == "update"}

    def _tell(self, event: str, details: Mapping[str, Any]) -> None:
        for follower in self.followers:
            follower(event, details)


@contextlib.contextmanager
def open_run(path: Path, recipe: Recipe, *, resume: bool) -> Iterator[RunFolder]:
    """Starts a run in a new or empty folder, or goes on with the one that is there.

    Raises:
        UsageError: the folder is taken and `resume` is not set, it holds a run of another recipe, or its path is
            not UTF-8.
        RunError: another process works in it, or it cannot be written.
    """
    require_utf8(path)
    folder = RunFolder(path)
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file; a folder is wanted: name one with -o")
    made = not path.exists()
    taken = not made and any(item.name != ".lock" for item in path.iterdir())
    if taken and not resume:
        raise UsageError(f"{path} exists already; go on with --resume, or choose another folder with -o")
    if taken and not folder.recipe.exists():
        raise UsageError(f"{path} has files but no run; choose another folder with -o")
    if taken:
        _require_same(folder.recipe, recipe)
    try:
        with locked(path):
            remove_leftovers(path)
            _end_last_line(path / "log.jsonl")
            if not folder.recipe.exists():
                write_text(folder.recipe, recipe.as_yaml())
            yield folder
    except Exception:
        if not taken:
            _clear(path, remove=made)
        raise


def _end_last_line(path: Path) -> None:
    """A killed process may have left half a line, which the next one must not be written behind."""
    if path.exists() and (content := path.read_bytes()) and not content.endswith(b"\n"):
        with storage_errors(path), path.open("a", encoding="utf-8") as handle:
            handle.write("\n")


def _clear(path: Path, *, remove: bool) -> None:
    """Leaves nothing of a run that ended before its first phase, for instance since its model is not there."""
    with contextlib.suppress(RunError, OSError), locked(path):  # else another process has come meanwhile
        if {item.name for item in path.iterdir()} - {".lock"} <= BEFORE_WORK:
            for name in BEFORE_WORK:
                (path / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        if [item.name for item in path.iterdir()] == [".lock"]:
            (path / ".lock").unlink()
        if remove:
            path.rmdir()


def _require_same(path: Path, recipe: Recipe) -> None:
    try:
        before = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise RunError(f"{path}: cannot be read; start the run anew in another folder") from error
    now = yaml.safe_load(recipe.as_yaml())
    with contextlib.suppress(ValidationError):  # keys that came later have their defaults
        before = Recipe.model_validate(before).model_dump(mode="json")
    if difference := _difference(before, now, ""):
        raise UsageError(f"{path}: the run was started with another {difference}; choose another folder with -o")


def _difference(before: Any, now: Any, key: str) -> str:
    """The first key whose values differ, with both; what is still to be chosen by the data agrees with all."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in [*before, *(name for name in now if name not in before)]:
            if found := _difference(before.get(name), now.get(name), f"{key}.{name}".lstrip(".")):
                return found
        return ""
    if before == now or (key.endswith(OPEN) and None in (before, now)):
        return ""
    return f"{key} ({before!r}, now {now!r})"
