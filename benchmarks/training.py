"""Training speed and memory against a plain QLoRA script and full fine-tuning, on XNLI's English dev text.

Every measurement is a process of its own; the ways of training alternate, and all see the same examples. The
clock runs from the start of training on the timed examples to the end of their last update, after a warm-up
and without tokenization, model loading or saving. A ratio is the median of the ratios within each round.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from report import MB, Result, data_dir, print_results, write_report

Round = dict[str, dict[str, Any]]
"""What each process of a round answered, by arm."""

MODELS = {"starter": "starter:multilingual-minilm", "xlmr-base": "xlmr-base"}
OURS, UPPER, PEERS, TUNED = "pipeline", "upper_layers", ("plain_qlora", "full_finetuning"), "tuned_qlora"
SETUP = {
    "text": "XNLI dev-en, premise and hypothesis, at most 128 tokens, 3 labels",
    "pipeline": "NF4 (double quantization), int8 word embeddings, bfloat16 activations and LoRA with float32 "
    "masters, LoRA r=16 alpha=32 on all linear layers without dropout, encoder without dropout, head with 0.1; "
    "batches by tokens, packed in a row for all but attention, cached features",
    "upper_layers": "as pipeline, LoRA on the upper half of the layers; the lower half runs in the first of "
    "three epochs and read from disk in the others; examples a second over all three",
    "plain_qlora": "peer: AutoModelForSequenceClassification, NF4 (double quantization), bfloat16 compute and "
    "autocast, prepare_model_for_kbit_training (float32 embeddings, gradient checkpointing), PEFT LoRA r=16 "
    "alpha=32 on all linear layers with dropout 0.05, the model's own dropout, Trainer, batch 32, padded to 128",
    "full_finetuning": "peer: AutoModelForSequenceClassification, float32 weights with bfloat16 autocast, the "
    "model's own dropout, Trainer, batch 32, padded to 128",
    "tuned_qlora": "as plain_qlora without gradient checkpointing, padded to the longest of batches of like "
    "length; only with --tuned-peer",
    "memory": "peak resident memory of the process, libraries included; allocated memory of the GPU where there "
    "is one. load: the same while the weights are loaded, less what was there before; the tokenizer's is apart",
}


def main() -> None:
    arguments = _arguments()
    arms = [OURS, UPPER, *PEERS, *([TUNED] if arguments.tuned_peer else [])]
    with tempfile.TemporaryDirectory() as scratch:
        job = {
            "model": MODELS[arguments.model],
            "data": str(data_dir()),
            "scratch": scratch,
            "warm_up": arguments.warm_up,
            "timed": arguments.examples,
            "tokens_per_batch": arguments.tokens_per_batch,
        }
        job["model"] = _process(job | {"arm": "prepare", "seed": 0})["folder"]
        rounds = [
            {arm: _process(job | {"arm": arm, "seed": seed}) for arm in ["load", *arms]}
            for seed in range(arguments.rounds)
        ]
    results = _results(rounds, arms)
    print_results(f"{MODELS[arguments.model]}, {arguments.examples} examples", results)
    if arguments.json:
        write_report(arguments.json, results, setup=_setup(arguments, rounds), raw=rounds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few minutes on two cores")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write machine, versions and results here")
    parser.add_argument("--model", choices=MODELS, default="starter", help="xlmr-base has random weights")
    parser.add_argument("--tuned-peer", action="store_true", help="also time a QLoRA script with little padding")
    parser.add_argument("--rounds", type=int, help="5, with --quick 3")
    parser.add_argument("--examples", type=int, help="timed ones per round: 640, with --quick 128")
    parser.add_argument("--warm-up", type=int, default=32, help="examples before the clock starts")
    parser.add_argument(
        "--tokens-per-batch", type=int, default=1280, help="the pipeline's; 1280 hold about 30 examples"
    )
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (3 if arguments.quick else 5)
    arguments.examples = arguments.examples or (128 if arguments.quick else 640)
    return arguments


def _process(job: dict[str, Any]) -> dict[str, Any]:
    """The answer of one measurement; its failure ends the benchmark."""
    print(f"{job['arm']} ...", end=" ", file=sys.stderr, flush=True)
    output = Path(job["scratch"]) / "answer.json"
    script = Path(__file__).with_name("training_process.py")
    done = subprocess.run(
        [sys.executable, str(script), json.dumps(job), str(output)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )
    if done.returncode != 0:
        raise SystemExit(f"{job['arm']} failed with exit code {done.returncode}:\n{done.stderr[-4000:]}")
    answer: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    speed = answer.get("examples_per_s")
    print(f"{speed:.1f} examples/s" if speed else "done", file=sys.stderr, flush=True)
    return answer


def _results(rounds: Sequence[Round], arms: Sequence[str]) -> list[Result]:
    def result(name: str, unit: str, value: Callable[[Round], float]) -> Result:
        return Result(name, round(median(map(value, rounds)), 4), unit, len(rounds))

    results = [
        result(
            f"{key}_vs_{peer}{suffix}",
            "x",
            lambda r, own=own, peer=peer, field=field: r[own][field] / r[peer][field],
        )
        for key, field in (("examples_per_s", "examples_per_s"), ("peak_memory", "memory_peak"))
        for peer in arms[2:]
        for own, suffix in ((OURS, ""), (UPPER, ".upper_layers"))
    ]
    results.append(result("load_peak_vs_quantized_size", "x", lambda r: _load_peak(r) / r["load"]["weights"]))
    for arm in arms:
        results += [
            result(f"examples_per_s.{arm}", "examples/s", lambda r, arm=arm: r[arm]["examples_per_s"]),
            result(f"peak_memory_mb.{arm}", "MB", lambda r, arm=arm: r[arm]["memory_peak"] / MB),
            result(f"padding_percent.{arm}", "%", lambda r, arm=arm: 100 * r[arm]["padding_share"]),
        ]
    return [
        *results,
        result("load_peak_mb", "MB", lambda r: _load_peak(r) / MB),
        result("quantized_size_mb", "MB", lambda r: r["load"]["weights"] / MB),
        result("memory_before_load_mb", "MB", lambda r: r["load"]["memory_before"] / MB),
        result("tokenizer_mb", "MB", lambda r: r["load"]["tokenizer"] / MB),
    ]


def _load_peak(one: Round) -> float:
    peak: float = one["load"]["memory_peak"] - one["load"]["memory_before"]
    return peak


def _setup(arguments: argparse.Namespace, rounds: Sequence[Round]) -> dict[str, Any]:
    return {
        "model": MODELS[arguments.model] + (", random weights" if arguments.model == "xlmr-base" else ""),
        **SETUP,
        "rounds": arguments.rounds,
        "warm_up_examples": arguments.warm_up,
        "timed_examples": arguments.examples,
        "tokens_per_batch": arguments.tokens_per_batch,
        "updates": {arm: answer["updates"] for arm, answer in rounds[0].items() if "updates" in answer},
        "threads": rounds[0][OURS]["threads"],
    }


if __name__ == "__main__":
    main()
