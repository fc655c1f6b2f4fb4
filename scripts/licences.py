"""Writes docs/licences.md: the licences of all that `lowres-stilts[all]` installs here.

python scripts/licences.py            # in an environment with all extras
python scripts/licences.py --check    # exit code 1 where the page is not up to date
"""

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from page import settle

PAGE = Path(__file__).parent.parent / "docs" / "licences.md"
PROJECT = "lowres-stilts"
EXTRAS = ("", "train", "export", "serve", "study", "starter", "tensorboard", "mlflow", "wandb")
INTRODUCTION = """# Licences of what is installed

lowres-stilts is under the Apache License 2.0. These are the packages that its core and its extras bring, their own
dependencies included, with the licence that each declares in its metadata; `python scripts/licences.py` writes
this page. Each is listed under the first that needs it of core, train, export, serve, study, starter, tensorboard,
mlflow and wandb.

Not listed: NVIDIA's CUDA libraries, which torch for GPUs brings under NVIDIA's licence, and what an environment
marker leaves out on Linux with Python {python}. Models and data sets have licences of their own:
`lowres-stilts tasks --json` names those of tasks, and every adapter's card those of what it was trained on.

| package | licence | needed by |
|---|---|---|
"""
KNOWN = {"locate": "MIT"}
"""Of packages whose metadata is silent or wrong, as the licence file in them says."""
SHORT = {
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache": "Apache-2.0",
    "Apache2": "Apache-2.0",
    "MIT License": "MIT",
    "BSD License": "BSD",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "Python Software Foundation License": "PSF-2.0",
    "ISC License (ISCL)": "ISC",
    "MIT license": "MIT",
}


def main(*, check: bool) -> int:
    """Writes the page, or says whether it would be another."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    rows = [f"| {name} | {licence} | {extra or 'core'} |" for name, licence, extra in _packages()]
    return settle(PAGE, INTRODUCTION.format(python=python) + "\n".join(rows) + "\n", check=check)


def _packages() -> list[tuple[str, str, str]]:
    found: dict[str, str] = {}
    for extra in EXTRAS:
        for name in _needed(PROJECT, {extra} if extra else set()) - {PROJECT}:
            found.setdefault(name, extra)
    return sorted((name, _licence(distribution(name)), extra) for name, extra in found.items())


def _needed(name: str, extras: set[str], seen: set[tuple[str, str]] | None = None) -> set[str]:
    """A package and all below it that are installed."""
    seen = set() if seen is None else seen
    try:
        requirements = [Requirement(text) for text in distribution(name).requires or ()]
    except PackageNotFoundError:
        return set()
    found = {canonicalize_name(name)}
    for extra in extras | {""}:
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for requirement in requirements:
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                found |= _needed(requirement.name, set(requirement.extras), seen)
    return found


def _licence(package: Distribution) -> str:
    metadata = package.metadata
    name = canonicalize_name(metadata["Name"])
    if expression := KNOWN.get(name) or metadata.get("License-Expression"):
        return expression
    classifiers = [each for each in metadata.get_all("Classifier") or () if each.startswith("License ::")]
    declared = " OR ".join(SHORT.get(each, each) for each in (c.rpartition(" :: ")[2] for c in classifiers))
    if declared and declared != "OSI Approved":
        return declared
    first = re.split(r"[\r\n]", (metadata.get("License") or "").strip())[0]
    return SHORT.get(first, first) or "not declared"


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
