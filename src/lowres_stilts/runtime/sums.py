"""The sums of a bundle, and of an adapter's folder."""

from pathlib import Path

from lowres_stilts.errors import BundleError
from lowres_stilts.sums import SUMS, Sums, rendered, sha256_of

NAME = "[A-Za-z0-9][A-Za-z0-9._+-]*"
BUNDLE = Sums("bundle", f"(?:{NAME}/)?{NAME}", NAME, BundleError)


def write_sums(folder: Path) -> None:
    """Writes the sums of all files of a folder and its folders."""
    sums = {name: sha256_of(path) for name, path in BUNDLE.files_in(folder).items() if name != SUMS}
    (folder / SUMS).write_text(rendered(sums), encoding="utf-8")


def verify_sums(folder: Path) -> None:
    """Whether the files are those that were summed, and no others.

    Raises:
        BundleError: a file is missing, changed, unknown, or no plain file.
    """
    expected = BUNDLE.read(folder)
    BUNDLE.require(folder, expected, BUNDLE.files_in(folder))
