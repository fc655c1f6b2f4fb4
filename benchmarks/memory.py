"""Memory: weights of real configurations, and what the planner predicts against what whole runs really take.

Each recipe is predicted from the configuration of its model and the number of its batches, then run by the
command from its start to its end, in a process of its own with two threads, whose most resident memory is the
truth. The error is the difference in percent of it. The planner's constants are set on some of the recipes; it is
judged on the others.
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
from lowres_stilts.names import file_name
from lowres_stilts.pipeline.duration import batches, settled_here
from lowres_stilts.pipeline.hardware import UNLIMITED, Place
from lowres_stilts.pipeline.planner import fit_recipe, plan_recipe
from lowres_stilts.recipe import Recipe
from memory_recipes import CASES, HELD_OUT, QUICK, SIZES, UNMEASURED, Case, Shipped, write_model, write_recipe
from report import MB, Result, data_dir, print_results, write_report

GB = 10**9
TOKENS = 8192


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="four recipes, and weights that are only thought of")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write machine, versions and results here")
    parser.add_argument("--only", help="recipes with this in their name")
    parser.add_argument("--taken", type=Path, metavar="FILE", help="lines of what runs took, read and added to")
    arguments = parser.parse_args()
    names = QUICK if arguments.quick else [name for name in CASES if (arguments.only or "") in name]
    with tempfile.TemporaryDirectory() as scratch:
        raw = [_error(name, Path(scratch), arguments.taken) for name in names]
        weights = _weights(Path(scratch), loaded=not (arguments.quick or arguments.only))
    results = [*weights, *_errors(raw), *_large_models()]
    print_results("memory", results)
    print_table(raw)
    if arguments.json:
        write_report(arguments.json, results, setup={"about": __doc__, "recipes": list(names)}, raw=raw)


def _error(name: str, scratch: Path, taken: Path | None) -> dict[str, Any]:
    """What was predicted for a recipe, and what it took."""
    path, changes = _recipe_of(CASES[name], scratch, scratch / file_name(name))
    recipe = Recipe.load(path, changes)
    recipe, tokens = settled_here(recipe)
    place = Place(cuda=False, budget=UNLIMITED, batches=batches(recipe, tokens or {}))
    planned = plan_recipe(recipe, read_config(recipe.model.id), place)
    measured = _known(name, taken) or _peak_of_run(path, changes, scratch / file_name(name) / "run", scratch)
    error = 100 * (planned.peak_bytes - measured) / measured
    print(
        f"{name}: predicted {planned.peak_bytes / MB:,.0f} MB, took {measured / MB:,.0f} MB, {error:+.1f}%",
        file=sys.stderr,
    )
    found = {
        "recipe": name,
        "held_out": name in HELD_OUT,
        "predicted_bytes": planned.peak_bytes,
        "measured_bytes": measured,
        "error_percent": error,
    }
    if taken is not None and not _known(name, taken):
        with taken.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")
    return found


def _known(name: str, taken: Path | None) -> int:
    """What a run took in an earlier call; 0 where there was none."""
    if taken is None or not taken.exists():
        return 0
    lines = map(json.loads, taken.read_text(encoding="utf-8").splitlines())
    return next((int(line["measured_bytes"]) for line in lines if line["recipe"] == name), 0)


def _recipe_of(case: Case | Shipped, scratch: Path, folder: Path) -> tuple[Path, list[str]]:
    """A recipe's file, and changes of its keys."""
    if isinstance(case, Case):
        return write_recipe(case, write_model(case.model, scratch / "models"), folder), []
    path = Path(__file__).parent.parent / "configs" / case.path
    real = [f"data.dir={data_dir()}"] if path.parent.name == "xtreme" else []
    return path, [*case.changes, *real]


def _peak_of_run(path: Path, changes: list[str], output: Path, scratch: Path) -> int:
    """Most resident bytes of the process of `lowres-stilts run`, packages and report included."""
    settings = [part for change in changes for part in ("--set", change)]
    with (scratch / "errors").open("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "lowres_stilts", "run", str(path), "-o", str(output), *settings],
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=os.environ
            | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2", "LOWRES_STILTS_CACHE": str(scratch / "cache")},
        )
        _, status, used = os.wait4(process.pid, 0)
        if code := os.waitstatus_to_exitcode(status):
            errors.seek(0)
            raise SystemExit(f"{path} failed with exit code {code}:\n{errors.read()[-4000:]}")
    return used.ru_maxrss * 1024


def _errors(raw: list[dict[str, Any]]) -> list[Result]:
    judged = [one["error_percent"] for one in raw if one["held_out"]]
    if not judged:
        return []
    sizes = [abs(error) for error in judged]
    return [
        Result("planner_error_percent", round(median(sizes), 2), "%", len(sizes)),
        Result("planner_error_percent_max", round(max(sizes), 2), "%", len(sizes)),
        Result("planner_error_percent_lowest", round(min(judged), 2), "%", len(sizes)),
    ]


def print_table(raw: list[dict[str, Any]]) -> None:
    """Markdown, for RESULTS.md."""
    for title, held_out in (("fitted", False), ("held out", True)):
        print(f"\n| {title} | predicted MB | took MB | error |\n|---|---|---|---|")
        for one in raw:
            if one["held_out"] is held_out:
                predicted, took = one["predicted_bytes"] / MB, one["measured_bytes"] / MB
                print(f"| {one['recipe']} | {predicted:,.0f} | {took:,.0f} | {one['error_percent']:+.1f}% |")


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
