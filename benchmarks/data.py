"""Reading and tokenizing, and memory, against `datasets` with a plain map, on XNLI's English text.

Every measurement is a process of its own with an empty cache, timed from the file to features that training
can read; the two ways alternate, and a ratio is the median of the ratios within each round. Memory is measured
on a file and on one ten times as long: growth is the peak above the start, large over small.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from datasets import load_dataset
from transformers import AutoTokenizer

from lowres_stilts.encoder.load import load_tokenizer
from lowres_stilts.encoder.starter import STARTER_ID, starter_model_dir
from lowres_stilts.tasks.cache import cached_features
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.source import Examples, FolderSource
from report import MB, Result, data_dir, print_results, write_report

MAX_LENGTH = 128
WAYS = ("pipeline", "datasets_map")
SETUP = {
    "text": "XNLI test-en, premise and hypothesis, numbered so that no two rows are equal, at most 128 tokens",
    "pipeline": "strict TSV reader, features in memory-mapped files; the file is read twice",
    "datasets_map": "peer: load_dataset of the CSV builder, map of the fast tokenizer, batched, one process",
    "memory": "peak resident memory above what imports and the tokenizer take, pages of mapped files included",
}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few minutes on two cores")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write machine, versions and results here")
    parser.add_argument("--rounds", type=int, help="5, with --quick 3")
    parser.add_argument("--examples", type=int, help="of the small file: 10000, with --quick 4000")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        print(json.dumps(measure(**json.loads(arguments.job))))
        return
    rounds = arguments.rounds or (3 if arguments.quick else 5)
    examples = arguments.examples or (4000 if arguments.quick else 10_000)
    results = compare(rounds, examples)
    print_results(f"Reading and tokenizing {examples} and {examples * 10} pairs of XNLI", results)
    if arguments.json:
        write_report(arguments.json, results, setup=SETUP | {"examples": examples})


def compare(rounds: int, examples: int) -> list[Result]:
    """Speeds on the small file, and the growth of memory, of both ways."""
    with tempfile.TemporaryDirectory() as scratch:
        small, large = (Path(scratch) / name for name in ("small.tsv", "large.tsv"))
        lines = (data_dir() / "xnli" / "test-en.tsv").read_text(encoding="utf-8").splitlines()
        rows = [f"{number} {lines[number % len(lines)]}\n" for number in range(examples * 10)]
        small.write_text("".join(rows[:examples]), encoding="utf-8")
        large.write_text("".join(rows), encoding="utf-8")
        found = [{way: run(way, small) for way in WAYS} for _ in range(rounds)]
        grown = {way: run(way, large)["peak"] for way in WAYS}
    speeds = {way: [each[way]["examples_per_s"] for each in found] for way in WAYS}
    ratios = [ours / theirs for ours, theirs in zip(*speeds.values(), strict=True)]
    peaks = {way: median(each[way]["peak"] for each in found) for way in WAYS}
    return [
        Result("examples_per_s_vs_datasets_map", median(ratios), "x", rounds),
        *(Result(f"examples_per_s.{way}", median(speeds[way]), "examples/s", rounds) for way in WAYS),
        Result("peak_memory_growth_x10", grown["pipeline"] / peaks["pipeline"], "x", 1),
        Result("peak_memory_growth_x10.datasets_map", grown["datasets_map"] / peaks["datasets_map"], "x", 1),
        *(Result(f"peak_memory_mb.{way}", peaks[way], "MB", rounds) for way in WAYS),
        *(Result(f"peak_memory_mb_x10.{way}", grown[way], "MB", 1) for way in WAYS),
    ]


def run(way: str, file: Path) -> dict[str, float]:
    """A measurement in a process of its own."""
    job = json.dumps({"way": way, "file": str(file)})
    done = subprocess.run([sys.executable, __file__, "--job", job], check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(way: str, file: str) -> dict[str, float]:
    """Examples per second, and the peak of the memory in MB above what imports and tokenizer take."""
    with tempfile.TemporaryDirectory() as scratch:
        if way == "pipeline":
            tokenizer = load_tokenizer(STARTER_ID)
            before = start()
            count = pipeline(Path(file), tokenizer, Path(scratch))
        else:
            fast = AutoTokenizer.from_pretrained(starter_model_dir())
            before = start()
            count = datasets_map(file, fast, scratch)
        seconds = time.perf_counter() - before[0]
        return {"examples_per_s": count / seconds, "peak": (peak_rss() - before[1]) / MB}


def start() -> tuple[float, int]:
    """The clock, and the peak so far."""
    return time.perf_counter(), peak_rss()


def peak_rss() -> int:
    """Largest resident memory of this process, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def pipeline(file: Path, tokenizer: Any, cache: Path) -> int:
    """Streams the file through the reader into features on disk."""
    os.environ["LOWRES_STILTS_CACHE"] = str(cache)
    task = REGISTRY["xnli"]
    source = FolderSource(file.parent, {"xnli": {"train": file.name}})
    examples = Examples(lambda: source.examples(task, "train", "en"), 0)
    return len(cached_features(task, examples, tokenizer, MAX_LENGTH))


def datasets_map(file: str, tokenizer: Any, cache: str) -> int:
    """What a script does: load the CSV, map the tokenizer in batches."""
    names = ["premise", "hypothesis", "label"]
    loaded = load_dataset(
        "csv", data_files=file, sep="\t", column_names=names, quoting=3, split="train", cache_dir=cache
    )
    mapped = loaded.map(
        lambda rows: tokenizer(rows["premise"], rows["hypothesis"], truncation=True, max_length=MAX_LENGTH),
        batched=True,
    )
    return len(mapped)


if __name__ == "__main__":
    main()
