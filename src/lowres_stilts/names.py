"""Names that become files, folders or parts of an address: one rule for tasks, languages, adapters and runs."""

import hashlib
import os
import re
import unicodedata
from pathlib import Path

from lowres_stilts.errors import LowresStiltsError, UsageError

FORBIDDEN = ("/", "\\", "..")
"""What no name of a task or language may have: it would point to another folder."""
UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode's categories of control characters, lone surrogates, and separators of lines and paragraphs."""
LONGEST = 100
"""Characters; file systems take 255 bytes, and a name may have another and a suffix behind."""
KEPT = 60
"""Characters of a longer or unusual name that its file's name keeps."""
FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*(?<!\.)")
MODULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
"""torch allows no dot in the name of a module."""
RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
"""Windows keeps these for devices."""
HASHED = re.compile(r"(?:.*-)?x[0-9a-f]{10}")
"""How the files' names of all other names end, so that no name that stays as it is can equal one of them."""


def problem_of(name: str) -> str | None:
    """Why a task or a language cannot have this name; None where it can."""
    if not name.strip():
        return "a name cannot be empty"
    if name[0] in ".-":
        return f"a name cannot begin with {name[0]!r}"
    if found := next((part for part in FORBIDDEN if part in name), None):
        return f"a name cannot have {found!r}"
    if any(unicodedata.category(character) in UNPRINTABLE for character in name):
        return f"{readable(name)}: a name cannot have control characters"
    return None


def file_name(name: str) -> str:
    """The name of a file or folder for a task, a language, an adapter or a run.

    Plain names stay as they are. What is left of others has a hash behind, so that different names never
    share a file, and none leaves its folder.
    """
    return _cleaned(name, FILE)


def module_name(name: str) -> str:
    """The same for what is a module's name, too, which has no dot and no plus."""
    return _cleaned(name, MODULE)


def slug(name: str, keep: str = "") -> str:
    """What is left of a name in ASCII letters, digits and the characters to keep, with dashes between.

    Different names may share it, and it may be empty.
    """
    letters = (c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    plain = re.sub(rf"[^A-Za-z0-9{re.escape(keep)}]+", "-", "".join(letters))
    return plain.lstrip("-._")[:LONGEST].rstrip("-.")


def readable(text: object) -> str:
    """A path or a text with escapes for its control characters and for bytes that are no UTF-8."""
    return "".join(_escaped(c) if unicodedata.category(c) in UNPRINTABLE else c for c in str(text))


def require_utf8(path: Path | str, remedy: str = "rename it, or choose another") -> None:
    """Refuses a path that is not UTF-8 on disk: safetensors, tokenizers and onnxruntime cannot open it.

    Args:
        path: the path.
        remedy: what to do.

    Raises:
        UsageError: it is not.
    """
    if not _is_utf8(str(path)):
        raise UsageError(f"{readable(path)}: not UTF-8, and libraries cannot open such paths; {remedy}")


def require_folder(path: Path, error: type[LowresStiltsError], remedy: str = "") -> None:
    """Refuses what is no folder; a file is said to be one.

    Args:
        path: where it should be.
        error: what to raise.
        remedy: what to do where nothing is there.

    Raises:
        LowresStiltsError: of that class.
    """
    if path.is_dir():
        return
    if path.exists():
        raise error(f"{path} is a file; a folder is wanted")
    raise error(f"{path}: no such folder{'; ' if remedy else ''}{remedy}")


def unreadable(path: Path, problem: OSError) -> str:
    """Why a file cannot be read, such as that it is a folder."""
    return misplaced(path) or f"{path}: cannot be read: {problem.strerror}"


def misplaced(path: Path) -> str | None:
    """What is wrong with the place of a file: it is a folder, or one of the folders above it is a file."""
    if path.is_dir():
        return f"{path} is a folder; a file is wanted"
    above = next((folder for folder in path.parents if folder.is_file()), None)
    return f"{above} is a file; a folder is wanted" if above else None


def _cleaned(name: str, plain: re.Pattern[str]) -> str:
    is_plain = len(name) <= LONGEST and plain.fullmatch(name) and not RESERVED.fullmatch(name)
    if is_plain and not HASHED.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    left = slug(name, "_")[:KEPT].rstrip("-")
    return f"{left}-x{digest}" if left else f"x{digest}"


def _escaped(character: str) -> str:
    """As Python writes it; of a byte that Python could not decode, that byte."""
    byte = ord(character) - 0xDC00
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else repr(character)[1:-1]


def _is_utf8(text: str) -> bool:
    try:
        return os.fsencode(text) == text.encode()
    except UnicodeEncodeError:  # surrogates, which stand for bytes that could not be decoded
        return False
