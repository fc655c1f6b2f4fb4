"""What is known of languages: names, writing direction, resource level, distance from English.

Names, scripts and numbers of writers come from `langcodes` with `language_data` (CLDR). Resource levels and
typology come from the package `urielplus` (URIEL+; for URIEL, Littell et al. 2017): its three levels follow Joshi
et al. 2020; the distance is 1 minus the cosine of the genetic and of the syntactic features, on the mean. Where
the package is not installed, levels and distances are not known, and reports say so.
"""

import csv
import functools
import importlib.metadata
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import langcodes
import numpy as np
from numpy.typing import NDArray

Level = Literal["high", "medium", "low"]
RIGHT_TO_LEFT = {"Arab", "Hebr", "Syrc", "Thaa", "Nkoo", "Adlm", "Rohg", "Mand", "Samr"}
SOURCE = "urielplus"
LANGUAGES_AT_ONCE = 256
MACROLANGUAGES = {"ara": "arb", "zho": "cmn", "est": "ekk", "fas": "pes", "lav": "lvs", "msa": "zsm", "que": "quy",
    "swa": "swh", "orm": "gaz", "aze": "azj", "sqi": "als", "mon": "khk", "uzb": "uzn", "nep": "npi",
    "fil": "tgl"}  # fmt: skip
"""Languages of the data for codes that stand for several: URIEL has single languages."""


@dataclass(frozen=True)
class Language:
    """What a report needs to know of a language."""

    code: str
    """As in file names."""
    name: str
    tag: str
    """For HTML's `lang`."""
    right_to_left: bool
    writers: int
    """People who write it (CLDR); 0 where it is not known."""
    level: Level | None
    distance: float | None
    """From English, 0 to 1."""


@functools.cache
def language_of(code: str) -> Language:
    """What is known of a language by its code in file names, such as `sw`, `zh-TW` or `quy_Latn`."""
    try:
        tag = langcodes.standardize_tag(code.replace("_", "-"))
        found = langcodes.Language.get(tag)
        three = found.to_alpha3()
    except (ValueError, LookupError):
        return Language(code, code, "und", False, 0, None, None)
    script = found.maximize().script or "Latn"
    writers = found.writing_population() or 0
    codes = (MACROLANGUAGES.get(three, three), three)
    level = next((_levels()[each] for each in codes if each in _levels()), None)
    distance = next((_distances()[each] for each in codes if each in _distances()), None)
    return Language(code, found.display_name(), tag, script in RIGHT_TO_LEFT, writers, level, distance)


def by_resources(codes: list[str]) -> list[str]:
    """Languages from high to low resource level, those with more writers first; unknown levels last."""
    order = {"high": 0, "medium": 1, "low": 2, None: 3}
    return sorted(codes, key=lambda c: (order[language_of(c).level], -language_of(c).writers, c))


def by_distance(codes: list[str]) -> list[str]:
    """Languages from near English to far; unknown distances last."""
    far = 2.0
    return sorted(codes, key=lambda c: (far if (d := language_of(c).distance) is None else d, c))


def source_of_metadata() -> str:
    """Where levels and distances come from, for a report."""
    try:
        return f"{SOURCE} {importlib.metadata.version(SOURCE)}"
    except importlib.metadata.PackageNotFoundError:
        return f"not known here: the package {SOURCE} is not installed"


def _database() -> Path | None:
    """The package's files; they are read without importing it, which would import pandas."""
    try:
        found = importlib.metadata.distribution(SOURCE)
    except importlib.metadata.PackageNotFoundError:
        return None
    folder = Path(str(found.locate_file("urielplus/database")))
    return folder if folder.is_dir() else None


@functools.cache
def _levels() -> dict[str, Level]:
    folder = _database()
    if folder is None:
        return {}
    with (folder / "urielplus_csvs" / "uriel_glottocode_map.csv").open(encoding="utf-8", newline="") as file:
        iso_of = {row["glottocode"]: row["iso_code"] for row in csv.DictReader(file)}
    classes = json.loads((folder / "urielplus_csvs" / "resource_languages.json").read_text(encoding="utf-8"))
    levels: tuple[Level, ...] = ("high", "medium", "low")
    return {iso_of[code]: level for level in levels for code in classes[f"{level}-resource"] if code in iso_of}


@functools.cache
def _distances() -> dict[str, float]:
    folder = _database()
    if folder is None:
        return {}
    genetic = _cosine_distances(folder / "original_uriel" / "family_features.npz", "F_")
    syntactic = _cosine_distances(folder / "original_uriel" / "features.npz", "S_")
    return {iso: round((genetic[iso] + syntactic[iso]) / 2, 4) for iso in genetic if iso in syntactic}


def _cosine_distances(path: Path, prefix: str) -> dict[str, float]:
    """From English, over the features that are known of both; a feature holds where any source says so.

    Languages are read some at a time: all of them at once are a hundred megabytes, and their products several.
    """
    with np.load(path) as file:
        chosen, languages = np.char.startswith(file["feats"], prefix), file["langs"].tolist()
    at = languages.index("eng")
    english = next(rows[at - start] for start, rows in _features(path, chosen) if start <= at < start + len(rows))
    found: dict[str, float] = {}
    for start, rows in _features(path, chosen):
        known = (rows >= 0) & (english >= 0)
        values, own = (np.where(known, side, 0.0) for side in (rows, english))
        norms = np.linalg.norm(values, axis=1) * np.linalg.norm(own, axis=1)
        cosines = np.divide((values * own).sum(axis=1), norms, out=np.zeros(len(norms)), where=norms > 0)
        codes = languages[start : start + len(rows)]
        enough = known.any(axis=1)
        found |= {code: float(1 - c) for code, c, e in zip(codes, cosines, enough, strict=True) if e}
    return found


def _features(path: Path, chosen: NDArray[np.bool_]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Some languages at a time: the first's number, and `[languages, features]`, the largest of all sources."""
    with zipfile.ZipFile(path) as archive, archive.open("data.npy") as file:
        np.lib.format.read_magic(file)
        (count, features, sources), _, dtype = np.lib.format.read_array_header_1_0(file)
        for start in range(0, count, LANGUAGES_AT_ONCE):
            wanted = min(LANGUAGES_AT_ONCE, count - start)
            values = np.frombuffer(file.read(wanted * features * sources * dtype.itemsize), dtype)
            yield start, values.reshape(wanted, features, sources)[:, chosen].max(axis=2)
