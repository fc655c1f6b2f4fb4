"""A file of 100,000 sentences labelled by `lowres-stilts predict`, and by `transformers.pipeline` in the same run.

The model is the package `adapters/panx-small` over the starter: as an int8 bundle here, merged into its base in
float32 there, which is asked one text at a time and in batches, the faster of which counts. They take turns on
stretches of the sentences. Then the whole file is labelled once, its memory looked at, and once more with kills at
random moments.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil

from report import Result, data_dir, print_results, write_report

PACKAGE = Path(__file__).parents[1] / "adapters" / "panx-small"
COMMAND = [sys.executable, "-m", "lowres_stilts"]
BATCH_SIZES = (1, 32)
SEED = 13


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="5,000 sentences and two rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write machine, versions and results here")
    arguments = parser.parse_args()
    count, rounds, kills = (5_000, 2, 2) if arguments.quick else (100_000, 5, 5)
    texts = sentences(count)
    with tempfile.TemporaryDirectory() as scratch:
        bundle = Path(scratch) / "bundle"
        subprocess.run([*COMMAND, "export", PACKAGE, "-o", bundle], check=True)
        speeds = compared(bundle, texts, rounds)
        whole = labelled(bundle, texts, Path(scratch), kills)
    ours, theirs = (median(speeds[name]) for name in ("predict", "pipeline"))
    results = [
        Result("rows_per_s_predict", round(ours, 1), "rows/s", rounds),
        Result("rows_per_s_pipeline", round(theirs, 1), "rows/s", rounds),
        Result("speedup_over_pipeline", round(ours / theirs, 2), "times", rounds),
        *(Result(name, value, unit, count) for name, (value, unit) in whole.items()),
    ]
    print_results("predict", results)
    if arguments.json:
        write_report(arguments.json, results, setup={"about": __doc__, "sentences": count}, raw=[speeds])


def sentences(count: int) -> list[str]:
    """Those of PAN-X's dev sets in all languages, mixed, as often as it takes."""
    files = sorted((data_dir() / "panx").glob("dev-*.tsv"))
    blocks = [block for path in files for block in path.read_text(encoding="utf-8").strip().split("\n\n")]
    found = [" ".join(line.split("\t")[0] for line in block.split("\n")) for block in blocks]
    np.random.default_rng(SEED).shuffle(found)
    return (found * (count // len(found) + 1))[:count]


def compared(bundle: Path, texts: Sequence[str], rounds: int, stretch: int = 1024) -> dict[str, list[float]]:
    """Rows a second of both, in turns; of the pipeline, by the batch size that was faster."""
    asked = {"predict": ours(bundle), **{f"pipeline {size}": theirs(size) for size in BATCH_SIZES}}
    speeds: dict[str, list[float]] = {name: [] for name in asked}
    for number in range(rounds + 1):
        part = texts[number * stretch : (number + 1) * stretch]
        for name, ask in asked.items():
            started = time.perf_counter()
            ask(part)
            if number:  # the first is for warming up
                speeds[name].append(len(part) / (time.perf_counter() - started))
    best = max((f"pipeline {size}" for size in BATCH_SIZES), key=lambda name: median(speeds[name]))
    return speeds | {"pipeline": speeds[best]}


def ours(bundle: Path) -> Callable[[Sequence[str]], object]:
    """What the command does with a stretch of rows, files left out."""
    from lowres_stilts.prediction.bundles import open_answerer  # noqa: PLC0415
    from lowres_stilts.prediction.work import STRETCH  # noqa: PLC0415

    answerer = open_answerer(bundle, None)
    return lambda texts: [
        answerer.answers(texts[start : start + STRETCH]) for start in range(0, len(texts), STRETCH)
    ]


def theirs(batch_size: int) -> Callable[[Sequence[str]], object]:
    """The pipeline of transformers over the merged model."""
    import transformers  # noqa: PLC0415
    from peft import PeftModel  # noqa: PLC0415

    from lowres_stilts.encoder.starter import starter_model_dir  # noqa: PLC0415

    labels = json.loads((PACKAGE / "stilts.json").read_text(encoding="utf-8"))["tasks"][0]["labels"]
    base = transformers.AutoModelForTokenClassification.from_pretrained(
        starter_model_dir(), num_labels=len(labels), id2label=dict(enumerate(labels))
    )
    model = PeftModel.from_pretrained(base, PACKAGE).merge_and_unload().eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(starter_model_dir())
    pipe = transformers.pipeline(
        "token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="simple", device="cpu"
    )
    return lambda texts: pipe(list(texts), batch_size=batch_size)


def labelled(bundle: Path, texts: Sequence[str], folder: Path, kills: int) -> dict[str, tuple[Any, str]]:
    """The command over the whole file: seconds, memory over time, and whether kills change a byte."""
    source, whole, killed = folder / "texts.txt", folder / "whole.jsonl", folder / "killed.jsonl"
    source.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    command = [*COMMAND, "predict", bundle, source, "-o"]
    started, resident = time.perf_counter(), []
    process = subprocess.Popen([*command, whole], stderr=subprocess.DEVNULL)
    while process.poll() is None:
        entries = whole.with_name("whole.jsonl.part") / "entries"
        if entries.exists() and entries.stat().st_size:
            resident.append(psutil.Process(process.pid).memory_info().rss / 1e6)
        time.sleep(0.5)
    seconds = time.perf_counter() - started
    rng, taken = np.random.default_rng(SEED), 0
    while taken < kills:
        process = subprocess.Popen([*command, killed, "--resume"], stderr=subprocess.DEVNULL)
        try:
            process.wait(rng.uniform(0.1, 0.6) * seconds)
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            taken += 1
    subprocess.run([*command, killed, "--resume"], check=True, stderr=subprocess.DEVNULL)
    quarter = max(1, len(resident) // 4)
    return {
        "rows_per_s_command": (round(len(texts) / seconds, 1), "rows/s"),
        "resident_first_quarter": (round(max(resident[:quarter]), 1), "MB"),
        "resident_last_quarter": (round(max(resident[-quarter:]), 1), "MB"),
        "kills": (taken, "kills"),
        "same_bytes": (int(whole.read_bytes() == killed.read_bytes()), "yes"),
    }


if __name__ == "__main__":
    main()
