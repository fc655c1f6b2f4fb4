"""Folders that tests share, each made once for all processes of a session."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock


@dataclass(frozen=True)
class Once:
    """Call it with a name and what fills the folder of that name: the first does, and others wait."""

    root: Path

    def __call__(self, name: str, make: Callable[[Path], object]) -> Path:
        """A whole folder, which nobody may change.

        It is made in its place, since files may name it. What a killed process left is made anew.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        folder, whole = self.root / name, self.root / f"{name}.whole"
        with FileLock(self.root / f"{name}.lock"):
            if not whole.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                whole.touch()
        return folder
