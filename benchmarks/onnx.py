"""What the exported encoder costs: speed against torch and plain Optimum, sizes, scores, and the core alone.

Speed: XLM-R base with random weights, random tokens without padding, two threads; the peers take turns, and a
ratio is that of the medians. Peers: torch float32 (SDPA), torch bfloat16 autocast, Optimum's export with its
dynamic int8 quantization, the model's int8 matrix products alone in onnxruntime, and OpenVINO in bfloat16 where it
is installed. Scores: the starter's packages on XNLI, PAN-X, TyDiQA and Tatoeba, against float32 torch.
"""

import sys

# This file bears the name of the library that it is about.
sys.path.append(sys.path.pop(0))

import argparse
from pathlib import Path

from onnx_bundles import bundle_results, preset_results
from onnx_core import core_results
from onnx_speed import speed_results
from report import print_results, write_report

PARTS = ("speed", "bundles", "presets", "core")
SETUP = {
    "model": "XLM-R base, random weights",
    "threads": 2,
    "padding": "none",
    "dtype": "server-cpu: int8 weights per channel, static scales, as many columns for outliers as the starter",
}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds and examples: minutes on two cores")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--skip", nargs="*", choices=PARTS, default=(), help="leave out")
    arguments = parser.parse_args()
    results = []
    if "speed" not in arguments.skip:
        results += speed_results(rounds=5 if arguments.quick else 15)
    if "bundles" not in arguments.skip:
        results += bundle_results(examples=30 if arguments.quick else 100)
    if "presets" not in arguments.skip and not arguments.quick:
        results += preset_results(examples=30)
    if "core" not in arguments.skip:
        results += core_results()
    print_results("ONNX", results)
    if arguments.json:
        write_report(arguments.json, results, setup=SETUP)


if __name__ == "__main__":
    main()
