"""`SHA256SUMS`: what belongs to a folder, byte for byte, and what may lie beside it."""

import hashlib
import re
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lowres_stilts.errors import LowresStiltsError

SUMS = "SHA256SUMS"
LARGEST_LIST = 1_000_000
"""Bytes of the list."""
LEFT_BY_TOOLS = (".gitattributes", ".git", ".cache/huggingface", ".huggingface")
"""What a repository of the Hub has of its own, and what `git clone` and `hf download --local-dir` leave beside its
files. It is not content: nothing in it is summed, read or sent."""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def rendered(sums: Mapping[str, str]) -> str:
    """The list, from sums by file."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))


@dataclass(frozen=True)
class Sums:
    """The one rule of what belongs to a kind of folder: the files that its list names, and no others.

    A file may be a link to a file, as in the Hub's cache, since the list says what is in it. Links to folders,
    links that lead nowhere, pipes and devices are refused.
    """

    noun: str
    """What the folder is: a package, a bundle."""
    files: str
    """A pattern of the files that it may list."""
    largest: int
    """Bytes of a file at most."""
    error: type[LowresStiltsError]

    def can_list(self, name: str) -> bool:
        """Whether some folder of this kind has a file of this name, its list among them."""
        return name == SUMS or self._pattern.fullmatch(name) is not None

    def read(self, folder: Path) -> dict[str, str]:
        """The listed sums by file.

        Raises:
            LowresStiltsError: of the kind's class: there is no list, or it is not as it was written.
        """
        path = folder / SUMS
        try:
            found = path.stat()
            if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST_LIST:
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

    def verify(self, folder: Path) -> dict[str, Path]:
        """The listed files by name, if they are as they were summed and nothing but what tools left is beside.

        Raises:
            LowresStiltsError: of the kind's class: a file is missing, changed, too large, not listed, or no file.
        """
        expected = self.read(folder)
        found = self._found(folder, expected)
        for name, digest in expected.items():
            if name not in found:
                raise self.error(f"{folder / name}: missing; get the {self.noun} anew")
            if self._sum(found[name]) != digest:
                raise self.error(f"{folder / name}: changed since it was summed; get the {self.noun} anew")
        return found

    def write(self, folder: Path) -> None:
        """Writes the sums of all files of a folder and its folders, without what tools left."""
        files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        sums = {name: sha256_of(path) for name, path in files.items() if name != SUMS and not _is_left(name)}
        (folder / SUMS).write_text(rendered(sums), encoding="utf-8")

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(self.files)

    def _found(self, folder: Path, expected: Collection[str]) -> dict[str, Path]:
        folders = {place for name in (*expected, *LEFT_BY_TOOLS) for place in _folders_of(name)}
        try:
            return dict(self._walk(folder, "", expected, folders))
        except OSError as error:
            raise self.error(f"{error.filename or folder}: cannot be read: {error.strerror}") from error

    def _walk(
        self, folder: Path, within: str, expected: Collection[str], folders: Collection[str]
    ) -> Iterator[tuple[str, Path]]:
        for path in sorted(folder.iterdir()):
            name = f"{within}{path.name}"
            if name == SUMS or _is_left(name):
                continue
            is_folder = path.is_dir() and not path.is_symlink()
            if not is_folder and not path.is_file():
                raise self.error(f"{path}: a {self.noun} has plain files only, or links to such; remove it")
            if name not in (folders if is_folder else expected):
                raise self.error(f"{path}: not listed in {SUMS}; remove it or get the {self.noun} anew")
            if is_folder:
                yield from self._walk(path, f"{name}/", expected, folders)
            else:
                yield name, path

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
            if path.stat().st_size > self.largest:
                raise self.error(
                    f"{path}: larger than {self.largest // 10**6} MB, which no file of a {self.noun} is"
                )
            return sha256_of(path)
        except OSError as error:
            raise self.error(f"{path}: cannot be read: {error.strerror}") from error


def _is_left(name: str) -> bool:
    return any(name == left or name.startswith(f"{left}/") for left in LEFT_BY_TOOLS)


def _folders_of(name: str) -> Iterator[str]:
    parts = name.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))
