"""Modules merged after training, with weights searched on English dev."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from safetensors.torch import save

from lowres_stilts.modules.network import Network
from lowres_stilts.pipeline.dev import dev_set
from lowres_stilts.pipeline.phase import Bench, Phase
from lowres_stilts.recipe.phases import MergeSettings
from lowres_stilts.storage import write_folder


def run_merge(
    name: str, alone: Phase, parts: Sequence[str], settings: MergeSettings, bench: Bench, network: Network
) -> dict[str, Any]:
    """Merges the modules of other phases into that of a target phase, and leaves the merged one active.

    Weights are searched one module after the other: each takes the one that scores best on English dev, or none.

    Args:
        name: of the phase, which trains nothing.
        alone: the target phase that was trained without the others.
        parts: the others.
        settings: how to merge.
        bench: with all modules loaded.
        network: of `alone`; its heads stay.

    Returns:
        The summary, with the weights under `merged`; nothing in processes other than main.

    Raises:
        TrainingError: the modules do not fit each other.
        RunError: something cannot be written.
    """
    if not bench.team.is_main:  # nothing is trained here, or later
        return {}
    folder = bench.folder.phase(name) / "module"
    if folder.exists():
        bench.stack.load(name, folder)
        bench.stack.activate([*alone.below, name])
        found: dict[str, Any] = json.loads((folder / "phase.json").read_text(encoding="utf-8"))
        return found
    started = time.perf_counter()
    (data,) = alone.data
    dev = dev_set(data, alone.train, bench.encoder)

    def score(weights: Mapping[str, float]) -> float:
        bench.stack.merge(name, weights, method=settings.method, density=settings.density, seed=bench.seed)
        bench.stack.activate([*alone.below, name])
        return dev.score(network, bench.encoder, alone.train.pace.tokens_per_batch)

    with bench.display.work(f"{name}: merge") as advance:
        count = 1 + len(parts) * len(settings.weights)
        weights, tried = _searched(alone.name, parts, settings.weights, score, lambda n: advance(n, count, ""))
    best = score(weights)
    summary = {
        **json.loads((bench.folder.phase(alone.name) / "module" / "phase.json").read_text(encoding="utf-8")),
        "phase": name,
        "dev_score": best,
        "updates": 0,
        "best_update": 0,
        "seconds": round(time.perf_counter() - started, 1),
        "tokens_per_second": 0,
        "trainable_parameters": 0,
        "head_parameters": 0,
        "merged": {"method": settings.method, "weights": weights, "tried": tried},
    }
    # Those of the module alone; the parts of the best score were not kept.
    summary["tasks"] = {
        task: {**{key: value for key, value in told.items() if key != "dev_parts"}, "dev_score": best}
        for task, told in summary["tasks"].items()
    }
    heads = {key: value.detach().cpu().contiguous() for key, value in network.head_weights().items()}

    def fill(temporary: Any) -> None:
        bench.stack.write(name, temporary)
        (temporary / "head.safetensors").write_bytes(save(heads))
        (temporary / "phase.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")

    write_folder(folder, fill)
    bench.folder.log("phase done", **summary)
    return summary


def _searched(
    own: str,
    parts: Sequence[str],
    candidates: Sequence[float],
    score: Callable[[Mapping[str, float]], float],
    advance: Callable[[int], object],
) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """The best weights, and all that were tried with their scores."""
    best = {**dict.fromkeys(parts, 0.0), own: 1.0}
    top = score(best)
    tried: list[dict[str, Any]] = [{"weights": best, "dev_score": top}]
    for part in parts:
        for weight in candidates:
            weights = {**best, part: weight}
            found = score(weights)
            tried.append({"weights": weights, "dev_score": found})
            advance(len(tried))
            if found > top:
                top, best = found, weights
    return best, tried
