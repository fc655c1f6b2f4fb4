"""Whether scores pay for speed and memory: a real task trained frugally and plainly, with three seeds.

Frugal is the recipe as it is (NF4, int8 embeddings, bfloat16, no dropout in the module); plain has float32
weights, nothing quantized, and LoRA's usual dropout of 0.05. Both train the target of the same small recipe on
English and are scored in every language of the data. They agree where their 95% intervals overlap with every
seed and the mean difference is within the mean interval. Runs take a core each.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean
from typing import Any

from report import Result, data_dir, print_results, write_report

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "configs" / "xtreme"
COMMON = ("target.transfer=none",)
WAYS = {
    "frugal": (),
    "plain": (
        "model.quantize=none",
        "model.embeddings=none",
        "model.compute=float32",
        "target.module.dropout=0.05",
    ),
}
SEEDS, QUICK_SEEDS = (13, 14, 15), (13,)
QUICK = ("target.train.limit=64", "target.train.dev_limit=20", "evaluate.limit=20", "evaluate.languages=[en,sw]")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one seed, few examples: only whether it works")
    parser.add_argument("--task", default="xnli", help="whose small recipe: xnli, udpos, ...")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write machine, versions and results here")
    arguments = parser.parse_args()
    seeds = QUICK_SEEDS if arguments.quick else SEEDS
    jobs = [(way, seed) for seed in seeds for way in WAYS]
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda job: _score(*job, arguments.task, Path(scratch), quick=arguments.quick), jobs)
        scores = dict(zip(jobs, found, strict=True))
    raw = [{"seed": seed, **{way: scores[way, seed] for way in WAYS}} for seed in seeds]
    results = _results(raw)
    print_results(f"{arguments.task}, mean over languages other than English, in points", results)
    if arguments.json:
        write_report(
            arguments.json, results, setup={"about": __doc__, "task": arguments.task, "ways": WAYS}, raw=raw
        )


def _score(way: str, seed: int, task: str, scratch: Path, *, quick: bool) -> dict[str, Any]:
    """The mean without English and its interval."""
    settings = (f"data.dir={data_dir()}", f"seed={seed}", *COMMON, *WAYS[way], *(QUICK if quick else ()))
    command = [
        *(sys.executable, "-m", "lowres_stilts", "run", str(RECIPES / f"{task}-small.yaml")),
        *(part for setting in settings for part in ("--set", setting)),
        *("-o", str(scratch / f"{way}-{seed}"), "--json"),
    ]
    one_core = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=one_core)
    results = json.loads(done.stdout)
    found: dict[str, Any] = results["mean_without_english"][task]["scores"]
    print(f"{way}, seed {seed}: {found}", file=sys.stderr)
    return found


def _results(raw: list[dict[str, Any]]) -> list[Result]:
    def overlap(one: dict[str, Any]) -> bool:
        (low, high), (lowest, highest) = one["frugal"]["ci95"], one["plain"]["ci95"]
        return bool(low <= highest and lowest <= high)

    differences = [one["frugal"]["value"] - one["plain"]["value"] for one in raw]
    width = fmean(one[way]["ci95"][1] - one[way]["ci95"][0] for one in raw for way in WAYS) / 2
    agree = all(map(overlap, raw)) and abs(fmean(differences)) <= width
    return [
        *(
            Result(f"score.{way}", round(fmean(one[way]["value"] for one in raw), 2), "points", len(raw))
            for way in WAYS
        ),
        Result("score_difference", round(fmean(differences), 2), "points", len(raw)),
        Result("score_interval_half_width", round(width, 2), "points", len(raw)),
        Result("scores_agree_within_intervals", float(agree), "1 is yes", len(raw)),
    ]


if __name__ == "__main__":
    main()
