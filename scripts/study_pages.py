"""Writes docs/small-studies.md: what the small studies under docs/studies/ found.

python scripts/study_pages.py            # after a study's files were copied there
python scripts/study_pages.py --check    # exit code 1 where the page is not up to date
"""

import json
import sys
from pathlib import Path
from typing import Any

from page import settle

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "small-studies.md"
NAMES = ("phang2020", "model-scale", "domain-shift", "data-scale", "multilingual")
NOTES = {
    "phang2020": "BUCC's pools are small here and every sentence is found without any training: it can only lose.",
    "model-scale": "The smaller encoders are the first layers of one model, not models trained at that size.",
    "domain-shift": "PAN-X is not learned at all from so few examples without an intermediate phase.",
    "data-scale": "TyDi QA is set against SQuAD: languages are not all that differs.",
    "multilingual": "PAWS-X and XCOPA stay close to what guessing scores: nothing can be told apart there.",
}
"""What a reader should know of each before its figures."""
INTRODUCTION = """# What the small studies found

Each of the [five studies](studies.md#five-studies) ran once in its small form: a model of 118 million parameters,
tens to two thousand training examples, two CPU cores. **That decides little, and says nothing about the full
forms**, which were never run; it shows what a study gives you, on real data. A verdict holds *at this scale* only,
and "undecided" is the verdict where noise is not excluded.

`python scripts/study_pages.py` writes this page from the `results.json` of each; no figure is typed in. Reports
are pages of their own: open them in a browser.
"""


def main(*, check: bool) -> int:
    """Writes the page, or says whether it would be another."""
    return settle(PAGE, "\n".join([INTRODUCTION, *(_section(name) for name in NAMES)]), check=check)


def _section(name: str) -> str:
    folder = DOCS / "studies" / name
    results: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    cells, place = results["cells"], f"studies/{name}"
    headline = "\n".join(f"- {line}" for line in results["headline"])
    heat_map = min(folder.glob("figures/gain*.svg"), key=lambda path: path.name.count("language"))
    claims = (folder / "tables" / "claims.md").read_text(encoding="utf-8")
    return f"""## {results["study"]["title"]}

{results["study"]["question"]}

{headline}

{NOTES[name]}

![Gain by intermediate task and target]({place}/figures/{heat_map.name})

{claims}
[Report]({place}/report.html), [all combinations]({place}/tables/combinations.md),
[by language]({place}/tables/languages.md), [the study](../configs/studies/{name}-small.yaml),
[results.json]({place}/results.json). {cells["finished"]} of {cells["planned"]} cells finished.
"""


if __name__ == "__main__":
    raise SystemExit(main(check="--check" in sys.argv[1:]))
