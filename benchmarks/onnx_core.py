"""The core alone: how soon a bundle answers, and in how much memory, with neither torch nor transformers."""

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from statistics import median

from onnx_bundles import small_bundle
from report import MB, Result

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 5
PROBE = """
import json, re, sys, time
from pathlib import Path
started = time.perf_counter()
from lowres_stilts.runtime import Bundle
bundle = Bundle.load(sys.argv[1], threads=2)
bundle.predict([("A man is asleep.", "Nobody is awake.")], bundle.adapters[0])
seconds = time.perf_counter() - started
heavy = [name for name in ("torch", "transformers", "peft", "onnx") if name in sys.modules]
# What the system says of this process: getrusage would count its parent's memory too.
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
print(json.dumps({"seconds": seconds, "peak": peak, "heavy": heavy}))
"""


def core_results() -> list[Result]:
    """Seconds from the first import to the first answer, and peak resident memory, in a new environment."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        bundle = small_bundle(folder / "bundle")
        venv.create(folder / "venv", with_pip=True)
        python = folder / "venv" / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", str(ROOT)], check=True)
        probes = [_probe(python, bundle) for _ in range(ROUNDS + 1)][1:]
    if found := probes[0]["heavy"]:
        sys.exit(f"the runtime imported {', '.join(found)}")
    return [
        Result("core_first_answer_s", median(probe["seconds"] for probe in probes), "s", ROUNDS),
        Result("core_rss_mb", median(probe["peak"] for probe in probes) / MB, "MB", ROUNDS),
    ]


def _probe(python: Path, bundle: Path) -> dict:
    command = [python, "-c", PROBE, str(bundle)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    probe: dict = json.loads(done.stdout)
    return probe
