"""Copies the packages of finished small recipes into adapters/, with a table of them.

The runs are those of `small_recipes.py`: `--runs` names the same folder.
"""

import argparse
import shutil
from pathlib import Path
from statistics import fmean

from lowres_stilts.hub.manifest import Manifest
from lowres_stilts.hub.pack import pack_run
from lowres_stilts.hub.verify import open_package

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

The licences are those of the training data of the last phase; the cards list all of it.

| package | tasks | rank | stacked on | MB | licence | languages | mean score |
|---|---|---|---|---|---|---|---|
"""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs")
    parser.add_argument("--output", type=Path, default=ROOT / "adapters")
    arguments = parser.parse_args()
    rows = []
    for recipe, phase in CHOSEN.items():
        pack_run(arguments.runs / recipe)
        source = arguments.runs / recipe / "phases" / phase / "package"
        manifest = open_package(source).manifest
        folder = arguments.output / manifest.name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder)
        rows.append(_row(manifest, sum(file.stat().st_size for file in folder.iterdir())))
    (arguments.output / "README.md").write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")


def _row(manifest: Manifest, size: int) -> str:
    scores = [score["value"] for task in manifest.scores.values() for score in task.values()]
    cells = [
        f"[{manifest.name}]({manifest.name}/README.md)",
        ", ".join(task.name for task in manifest.tasks),
        manifest.rank,
        ", ".join(part.phase for part in manifest.stack) or "-",
        f"{size / 10**6:.1f}",
        ", ".join(dict.fromkeys(task.licence for task in manifest.tasks)),
        len(scores) or "-",
        f"{fmean(scores):.1f}" if scores else "-",
    ]
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()
