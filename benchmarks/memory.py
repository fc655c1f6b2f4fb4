"""Memory: weights of real configurations, and what the planner predicts against what runs of recipes really take.

Each recipe is predicted from the configuration of its model alone, then run from its start to its end in a process
of its own, whose most resident memory is the truth. The error is the difference in percent of the truth.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import torch
from transformers import XLMRobertaConfig, XLMRobertaXLConfig

from lowres_stilts.encoder.build import weightless_model
from lowres_stilts.encoder.load import NO_DROPOUT, load_weights, read_config
from lowres_stilts.encoder.quantize import stored_bytes
from lowres_stilts.pipeline.hardware import UNLIMITED, Place
from lowres_stilts.pipeline.planner import fit_recipe
from lowres_stilts.recipe import Recipe
from memory_recipes import CASES, QUICK, SIZES, UNMEASURED, write_model, write_recipe
from report import MB, Result, print_results, write_report

GB = 10**9
TOKENS = 8192


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="five recipes, and weights that are only thought of")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write machine, versions and results here")
    parser.add_argument("--only", help="recipes with this in their name")
    arguments = parser.parse_args()
    names = QUICK if arguments.quick else [name for name in CASES if (arguments.only or "") in name]
    with tempfile.TemporaryDirectory() as scratch:
        raw = [_error(name, Path(scratch)) for name in names]
        weights = _weights(Path(scratch), loaded=not (arguments.quick or arguments.only))
    results = [*weights, *_errors(raw), *_large_models()]
    print_results("memory", results)
    if arguments.json:
        write_report(arguments.json, results, setup={"about": __doc__, "recipes": list(names)}, raw=raw)


def _error(name: str, scratch: Path) -> dict[str, Any]:
    """What was predicted for a recipe, and what it took."""
    model = write_model(CASES[name].model, scratch / "models")
    path = write_recipe(CASES[name], model, scratch / name.replace(" ", "-"))
    choices = fit_recipe(Recipe.load(path), read_config(str(model)), Place(cuda=False, budget=UNLIMITED))
    predicted = max(choice.peak_bytes for choice in choices)
    done = subprocess.run(
        [sys.executable, "-m", "lowres_stilts", "run", str(path), "-o", str(path.parent / "run"), "--json"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "LOWRES_STILTS_CACHE": str(scratch / "cache")},
    )
    if done.returncode != 0:
        raise SystemExit(f"{name} failed with exit code {done.returncode}:\n{done.stderr[-4000:]}")
    measured = json.loads(done.stdout)["cost"]["peak_memory_bytes"]
    error = 100 * (predicted - measured) / measured
    print(
        f"{name}: predicted {predicted / MB:,.0f} MB, took {measured / MB:,.0f} MB, {error:+.1f}%", file=sys.stderr
    )
    return {
        "recipe": name,
        "predicted_bytes": predicted,
        "measured_bytes": measured,
        "error_percent": error,
        "tensors_that_come_and_go": max(choice.work_bytes for choice in choices),
    }


def _errors(raw: list[dict[str, Any]]) -> list[Result]:
    errors = [abs(one["error_percent"]) for one in raw]
    return [
        Result("planner_error_percent", round(median(errors), 2), "%", len(errors)),
        Result("planner_error_percent_max", round(max(errors), 2), "%", len(errors)),
    ]


def _weights(scratch: Path, *, loaded: bool) -> list[Result]:
    """Megabytes in NF4 with double quantization and int8 embeddings, of loaded weights or of the configuration."""
    results = []
    for name in ("base", "large"):
        if loaded:
            folder = write_model(name, scratch / "models")
            cpu, dtype = torch.device("cpu"), torch.bfloat16
            model = load_weights(
                str(folder), read_config(str(folder)), None, "nf4", "int8", dtype=dtype, device=cpu
            )
        else:
            config = XLMRobertaConfig(**SIZES[name][1])
            model = weightless_model(
                config, quantize="nf4", embeddings="int8", dtype=torch.bfloat16, attention="eager"
            )
        results.append(Result(f"weights_mb_xlmr_{name}", round(stored_bytes(model) / MB, 1), "MB", 1))
    return results


def _large_models() -> list[Result]:
    """Gigabytes on a card at 8,192 tokens a step, predicted: CUDA's own and the allocator's overhead included."""
    configs = {
        "large": XLMRobertaConfig(**{**SIZES["large"][1], **NO_DROPOUT}),
        **{name: XLMRobertaXLConfig(**{**sizes, **NO_DROPOUT}) for name, sizes in UNMEASURED.items()},
    }
    results = []
    for name, config in configs.items():
        (choice,) = fit_recipe(_recipe(), config, Place(cuda=True, budget=UNLIMITED))
        results.append(Result(f"predicted_train_peak_gb_xlmr_{name}", round(choice.peak_bytes / GB, 2), "GB", 1))
    return results


def _recipe() -> Recipe:
    """XNLI, LoRA of rank 16 on all linear layers, activations computed twice."""
    train = {"tokens_per_batch": TOKENS, "gradient_checkpointing": True}
    return Recipe.model_validate(
        {
            "name": "large models",
            "model": {"id": "by its configuration"},
            "data": {"source": "xtreme", "dir": "."},
            "target": {"task": "xnli", "transfer": "none", "module": {"rank": 16, "alpha": 32}, "train": train},
        }
    )


if __name__ == "__main__":
    main()
