"""Copies the packages of finished small recipes into adapters/, with a table of them.

The runs are those of `small_recipes.py`: `--runs` names the same folder. With `--cards` nothing is copied: the
cards of the packages that are there are written anew, with what their weights answer to the texts of the cards.
"""

import argparse
import shutil
from pathlib import Path
from statistics import fmean

from lowres_stilts.hub.card_training import sources_of
from lowres_stilts.hub.example import add_example
from lowres_stilts.hub.manifest import MANIFEST, Manifest, read_manifest
from lowres_stilts.hub.pack import pack_run
from lowres_stilts.hub.verify import open_package
from lowres_stilts.hub.write import describe_package

ROOT = Path(__file__).parent.parent
CHOSEN = {
    "xnli": "2-target",
    "tydiqa": "2-target",
    "panx": "2-target",
    "udpos": "2-target",
    "xcopa": "2-target",
    "multitask": "1-intermediate",
}
"""Phases of the small recipes whose modules are kept."""
HEAD = """# The collection

Packages of the small recipes on the starter (`intfloat/multilingual-e5-small`), trained for minutes on two
CPU cores and on a part of the data: enough to try everything with real modules, not the best that a module
can be. `benchmarks/collection.py` copied them from finished runs and wrote this page. Each was checked with

```sh
lowres-stilts hub verify adapters/NAME --scores --data path/to/data
```

The licences are those of the training data of all phases.

| package | tasks | rank | stacked on | MB | licence | languages | mean score |
|---|---|---|---|---|---|---|---|
"""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs")
    parser.add_argument("--output", type=Path, default=ROOT / "adapters")
    parser.add_argument("--cards", action="store_true")
    arguments = parser.parse_args()
    if arguments.cards:
        for path in arguments.output.glob(f"*/{MANIFEST}"):
            describe_package(path.parent, read_manifest(path.parent))
            add_example(path.parent)
    else:
        for recipe, phase in CHOSEN.items():
            pack_run(arguments.runs / recipe)
            source = arguments.runs / recipe / "phases" / phase / "package"
            folder = arguments.output / open_package(source).manifest.name
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(source, folder)
    folders = sorted((path.parent for path in arguments.output.glob(f"*/{MANIFEST}")), key=_order)
    rows = [
        _row(open_package(folder).manifest, sum(file.stat().st_size for file in folder.iterdir()))
        for folder in folders
    ]
    (arguments.output / "README.md").write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")


def _order(folder: Path) -> int:
    """As the recipes are listed above."""
    return list(CHOSEN).index(folder.name.partition("-")[0])


def _row(manifest: Manifest, size: int) -> str:
    scores = [score["value"] for task in manifest.scores.values() for score in task.values()]
    cells = [
        f"[{manifest.name}]({manifest.name}/README.md)",
        ", ".join(task.name for task in manifest.tasks),
        manifest.rank,
        ", ".join(part.phase for part in manifest.stack) or "-",
        f"{size / 10**6:.1f}",
        ", ".join(dict.fromkeys(source.licence for source in sources_of(manifest))),
        len(scores) or "-",
        f"{fmean(scores):.1f}" if scores else "-",
    ]
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()
