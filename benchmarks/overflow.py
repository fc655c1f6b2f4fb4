"""int8 bundles on a CPU whose products of int8 overflow: what loading their weights as uint8 gains and costs.

    python benchmarks/overflow.py --output overflow.json

The tags of PAN-X that agree with the float32 bundle's, with onnxruntime's own products and with those that this
project asks for. On a CPU with VNNI both are the same.
"""

import sys

# A neighbour of this file bears the name of the onnx library.
sys.path.append(sys.path.pop(0))

import argparse
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from unittest import mock

from lowres_stilts.export.bundle import export_bundle
from lowres_stilts.export.presets import PRESETS
from lowres_stilts.recipe.data import DataSettings
from lowres_stilts.runtime import Bundle
from lowres_stilts.runtime.overflow import int8_overflows
from lowres_stilts.tasks.load import find_task, open_source
from report import Result, data_dir, print_results, write_report

ADAPTER = "panx-small"
LANGUAGES = ("en", "de", "ru", "sw", "ur", "zh")
ROUNDS = 5


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=60, help="of each language")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    source = open_source(DataSettings(source="xtreme", dir=data_dir()))
    sentences = [
        list(example.words)
        for language in LANGUAGES
        for example in islice(source.examples(find_task("panx", {}, "task"), "dev", language), arguments.sentences)
    ]
    with tempfile.TemporaryDirectory() as scratch:
        results = _compared(sentences, Path(scratch))
    print_results(f"{len(sentences)} sentences of PAN-X, {', '.join(LANGUAGES)}", results)
    if arguments.output:
        setup = {"adapter": ADAPTER, "languages": LANGUAGES, "sentences": arguments.sentences, "rounds": ROUNDS}
        write_report(arguments.output, results, setup=setup)


def _compared(sentences: Sequence[list[str]], scratch: Path) -> list[Result]:
    package = Path(__file__).resolve().parents[1] / "adapters" / ADAPTER
    for preset in ("exact", "server-cpu"):
        export_bundle([package], scratch / preset, storage=PRESETS[preset])
    exact, ours = Bundle.load(scratch / "exact"), Bundle.load(scratch / "server-cpu")
    with mock.patch("lowres_stilts.runtime.session.int8_overflows", return_value=False):
        plain = Bundle.load(scratch / "server-cpu")
        _tags(plain, sentences[:1])  # its graphs are opened by the first answer
    wanted = _tags(exact, sentences)
    agreement = {
        name: 100 * sum(a == b for a, b in zip(wanted, _tags(bundle, sentences), strict=True)) / len(wanted)
        for name, bundle in (("onnxruntime", plain), ("ours", ours))
    }
    ratios = []
    for _ in range(ROUNDS):
        seconds = []
        for bundle in (plain, ours):
            started = time.perf_counter()
            _tags(bundle, sentences)
            seconds.append(time.perf_counter() - started)
        ratios.append(seconds[1] / seconds[0])
    return [
        Result("int8_overflows_here", int(int8_overflows()), "", 1),
        Result("tags_as_float32_onnxruntime", agreement["onnxruntime"], "%", len(wanted)),
        Result("tags_as_float32_ours", agreement["ours"], "%", len(wanted)),
        Result("time_ours_to_onnxruntime", median(ratios), "x", ROUNDS),
    ]


def _tags(bundle: Bundle, sentences: Sequence[list[str]]) -> list[str]:
    return [tag for found in bundle.predict(sentences, adapter=ADAPTER) for tag in found.tags]


if __name__ == "__main__":
    main()
