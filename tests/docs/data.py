"""A made-up data set in SIB-200's layout, for a Hub on this machine."""

import json
from pathlib import Path

from datasets import ClassLabel, Dataset, Features, Value

from lowres_stilts.tasks.catalog import REGISTRY

COMMIT = "0" * 39 + "1"
LANGUAGES = ("eng_Latn", "quy_Latn")


def write_sib200(root: Path) -> None:
    """Writes `Davlan/sib200` with a few made-up rows of each topic."""
    labels = list(REGISTRY["sib200"].labels)
    features = Features(
        {"index_id": Value("int64"), "category": ClassLabel(names=labels), "text": Value("string")}
    )
    repository = root / "Davlan" / "sib200"
    card = ["---", "configs:"]
    for language in LANGUAGES:
        card += [f"- config_name: {language}", "  data_files:"]
        for split in ("train", "validation", "test"):
            rows = [
                {
                    "index_id": number,
                    "category": number % len(labels),
                    "text": f"{language} {labels[number % len(labels)]} {number}",
                }
                for number in range(8 * len(labels))
            ]
            path = repository / COMMIT / language / f"{split}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            Dataset.from_list(rows, features=features).to_parquet(str(path))
            card.append(f"  - {{split: {split}, path: {language}/{split}.parquet}}")
    (repository / COMMIT / "README.md").write_text("\n".join([*card, "---", ""]))
    (repository / "refs.json").write_text(json.dumps({"main": COMMIT}))
