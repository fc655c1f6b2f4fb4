"""`SHA256SUMS`: every file of a folder, and nothing else, byte for byte."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from lowres_stilts.errors import LowresStiltsError

SUMS = "SHA256SUMS"
LEFT_FILES = {".gitattributes"}
LEFT_FOLDERS = {".git", ".huggingface"}
"""What the Hub's own tools leave in a folder, with `.cache/huggingface`."""
LARGEST_LIST = 1_000_000
"""Bytes of the list."""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _is_left_by_hub(path: Path) -> bool:
    if path.is_symlink() or not path.is_dir():
        return False
    return path.name in LEFT_FOLDERS or (
        path.name == ".cache" and {inner.name for inner in path.iterdir()} <= {"huggingface"}
    )


def rendered(sums: Mapping[str, str]) -> str:
    """The list, from sums by file."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))


@dataclass(frozen=True)
class Sums:
    """The list of a kind of folder, and what is said when something is wrong."""

    noun: str
    """What the folder is: a package, a bundle."""
    files: str
    """A pattern of the files that it may list."""
    folders: str
    """A pattern of the folders that it may have inside."""
    error: type[LowresStiltsError]

    def read(self, folder: Path) -> dict[str, str]:
        """The listed sums by file.

        Raises:
            LowresStiltsError: of the kind's class: there is no list, or it is not as it was written.
        """
        path = folder / SUMS
        try:
            found = path.stat()
            if not S_ISREG(found.st_mode) or found.st_size > LARGEST_LIST:
                raise self.error(f"{path}: not a plain list of sums")
            text = path.read_bytes().decode("ascii")
        except FileNotFoundError:
            raise self.error(f"{folder}: no {SUMS}, so this is no {self.noun}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise self.error(f"{path}: cannot be read") from error
        sums = self._parsed(path, text)
        if text != rendered(sums):
            raise self.error(f"{path}: not as it was written; get the {self.noun} anew")
        return sums

    def files_in(self, folder: Path) -> dict[str, Path]:
        """The files of a folder by name, which for those in inner folders is like `inner/file`.

        What the Hub's own tools leave beside them is passed over: nothing of it is ever read. A file may be a link
        to one, as in the Hub's cache: its sum is that of the content.

        Raises:
            LowresStiltsError: of the kind's class: something is no file, or lies in a folder of another kind.
        """
        return dict(self._walk(folder, ""))

    def _walk(self, folder: Path, within: str) -> Iterator[tuple[str, Path]]:
        for path in sorted(folder.iterdir()):
            name = f"{within}{path.name}"
            if self._is_inner(path, name):
                yield from self._walk(path, f"{name}/")
            elif path.is_file():
                if name not in LEFT_FILES:
                    yield name, path
            elif within or not _is_left_by_hub(path):
                raise self.error(f"{path}: a {self.noun} has plain files only; remove it")

    def _is_inner(self, path: Path, name: str) -> bool:
        """Whether it is a folder that the kind may have, and not a link to one or empty."""
        is_folder = path.is_dir() and not path.is_symlink()
        return is_folder and re.fullmatch(self.folders, name) is not None and any(path.iterdir())

    def require(self, folder: Path, expected: Mapping[str, str], found: Mapping[str, Path]) -> None:
        """Whether the files found are those that are listed, and have these sums.

        Raises:
            LowresStiltsError: of the kind's class: a file is missing, changed, or not listed.
        """
        for name, path in found.items():
            if name not in expected and name != SUMS:
                raise self.error(f"{path}: not listed in {SUMS}; remove it or get the {self.noun} anew")
        for name, digest in expected.items():
            if name not in found:
                raise self.error(f"{folder / name}: missing; get the {self.noun} anew")
            if self._sum(found[name]) != digest:
                raise self.error(f"{folder / name}: changed since it was summed; get the {self.noun} anew")

    def _parsed(self, path: Path, text: str) -> dict[str, str]:
        line_pattern = re.compile(rf"([0-9a-f]{{64}})  ({self.files})")
        sums: dict[str, str] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            match = line_pattern.fullmatch(line)
            if match is None or match[2] in sums:
                raise self.error(f"{path}:{number}: expected a SHA-256, two spaces and a file of a {self.noun}")
            sums[match[2]] = match[1]
        return sums

    def _sum(self, path: Path) -> str:
        try:
            return sha256_of(path)
        except OSError as error:
            raise self.error(f"{path}: cannot be read: {error.strerror}") from error
