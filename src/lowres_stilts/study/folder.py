"""The study folder: where everything of a study is, and who may write there."""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lowres_stilts.errors import UsageError
from lowres_stilts.names import require_utf8
from lowres_stilts.pipeline.folder import RunFolder
from lowres_stilts.storage import locked, remove_leftovers, storage_errors, write_text


@dataclass(frozen=True)
class StudyFolder:
    """Paths of one study."""

    path: Path

    @property
    def study_file(self) -> Path:
        """The study as it was last started."""
        return self.path / "study.yaml"

    @property
    def store(self) -> Path:
        """The database of results."""
        return self.path / "study.duckdb"

    def phase(self, key: str) -> Path:
        """Checkpoint and module of a phase."""
        return self.path / "phases" / key

    def arm(self, key: str) -> Path:
        """Predictions and result of an arm."""
        return self.path / "arms" / key

    def result(self, key: str) -> Path:
        """There when an arm is finished."""
        return self.arm(key) / "result"

    def run(self, path: Path, phases: Mapping[str, str]) -> RunFolder:
        """A phase's or an arm's folder as the pipeline sees it: a run whose phases lie in their own places."""
        return RunFolder(path, {name: self.phase(phase) for name, phase in phases.items()})

    def log(self, event: str, **details: Any) -> None:
        """Adds a line to `log.jsonl`."""
        path = self.path / "log.jsonl"
        line = json.dumps({"time": round(time.time(), 3), "event": event, **details}, ensure_ascii=False)
        with storage_errors(path), path.open("a", encoding="utf-8") as handle:
            handle.write(line + "\n")


@contextlib.contextmanager
def open_study(path: Path, text: str, *, resume: bool) -> Iterator[StudyFolder]:
    """Starts a study in a new or empty folder, or goes on with the one that is there.

    What is done is kept by its content, so a study may be resumed with other axes: what it has in common with the
    former one is not done again.

    Args:
        path: the folder.
        text: the study's YAML.
        resume: whether it may be there already.

    Raises:
        UsageError: the folder is taken and `resume` is not set, or it holds something else.
        RunError: another process works in it, or it cannot be written.
    """
    require_utf8(path)
    folder = StudyFolder(path)
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file; a folder is wanted: name one with -o")
    taken = path.is_dir() and any(item.name != ".lock" for item in path.iterdir())
    if taken and not resume:
        raise UsageError(f"{path} exists already; go on with --resume, or choose another folder with -o")
    if taken and not folder.study_file.exists():
        raise UsageError(f"{path} has files but no study; choose another folder with -o")
    with locked(path):
        remove_leftovers(path)
        write_text(folder.study_file, text)
        yield folder
