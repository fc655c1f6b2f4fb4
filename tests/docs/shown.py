"""Pages that take minutes run again only when they, or what they run, have changed.

`shown.json` has, for each page that passed, the hash of the page and of all that it runs. `make shown` runs those
whose hash is another one, and writes theirs; a commit keeps it.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir

import pytest
from filelock import FileLock

from lowres_stilts.storage import write_json
from tests.conftest import ROOT

RECORDS = Path(__file__).with_name("shown.json")
RECORD = "LOWRES_STILTS_RECORD_SHOWN"
"""The variable that has passes recorded."""
SOURCES = ("src/lowres_stilts", "configs", "tests/docs/data.py", "tests/docs/pages.py")
"""What pages run, and what follows them."""


def fingerprint(page: Path) -> str:
    """Of a page, the files that it runs or that follow it, and the libraries that pyproject.toml names."""
    found = sha256()
    candidates = (path for name in SOURCES for path in (ROOT / name, *(ROOT / name).rglob("*")))
    files = sorted(path for path in candidates if path.is_file() and "__pycache__" not in path.parts)
    for path in [page, ROOT / "pyproject.toml", *files]:
        content = path.read_bytes()
        found.update(f"{path.relative_to(ROOT).as_posix()} {len(content)}\n".encode() + content)
    return found.hexdigest()


def records() -> dict[str, str]:
    """Fingerprints by page and how it was run."""
    found: dict[str, str] = json.loads(RECORDS.read_text(encoding="utf-8"))
    return found


@contextmanager
def shown(page: Path, how: str) -> Iterator[None]:
    """Skips a page that passed as it is now; records one that passes within, where that is asked for.

    Args:
        page: the file.
        how: what part of it runs, `short` or `whole`.
    """
    key, now = f"{page.relative_to(ROOT).as_posix()} {how}", fingerprint(page)
    if records().get(key) == now:
        pytest.skip("it passed as it is now")
    yield
    if os.environ.get(RECORD):
        with FileLock(Path(gettempdir()) / f"{sha256(str(RECORDS).encode()).hexdigest()}.lock"):
            write_json(RECORDS, dict(sorted((records() | {key: now}).items())))
