"""Requests a second and latency of the service, against a plain one and infinity-emb; mixed load; overload.

All serve the starter (multilingual-e5-small) on the same machine through OpenAI's `/v1/embeddings`, one sentence a
request, real sentences of XNLI in all its languages. Closed loop of 1, 16 and 64 clients, each on a connection
that stays open; the load generator is a process of its own. The services take turns in every round, the others
stopped meanwhile, and a ratio is the median over rounds. Peers: FastAPI around a transformers pipeline;
infinity-emb with its torch and its optimum engine in float32, and with optimum on Optimum's dynamic int8.
`rps_vs_infinity_64` and `p99_vs_infinity_64` take whichever of its two float32 engines answers more; the int8 one
has figures of its own.

The mixed load has texts from one character to 50,000: eight clients at once after a fresh service had 60 pings,
and one client with 39 documents a request among 16 light ones. Every round has a fresh service.

The soak sends twice what 64 clients got, whatever comes back, and counts all but 200, 429 and 503 as failures;
another one does so with texts of mixed lengths.
"""

import sys

# A neighbour of this file bears the name of the onnx library.
sys.path.append(sys.path.pop(0))

import argparse
import csv
import random
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import numpy as np

from report import Result, data_dir, print_results, write_report
from serving_infinity import PINS
from serving_mixed import mixed_results
from serving_services import OWN, PEERS, Service, running
from serving_soak import soak_results

CLIENTS = (1, 16, 64)
TEXTS = 4000
LEAST_COSINE = 0.9
"""Between the vectors of a peer and of the float32 pipeline: less, and they do not serve the same model."""
SETUP = {
    "model": "multilingual-e5-small (the starter)",
    "request": "OpenAI embeddings, one sentence, float",
    "texts": "XNLI test, both sentences, 15 languages, shuffled",
    "infinity": list(PINS),
    "own": "bundle of the default preset, default settings",
}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two short rounds and half a minute of soak")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS, help="against whom")
    parser.add_argument("--rounds", type=int, help="turns of each service")
    parser.add_argument("--seconds", type=float, help="of one measurement")
    parser.add_argument("--mixed", type=float, help="seconds of mixed load in each round; 0 leaves it out")
    parser.add_argument("--only-mixed", action="store_true", help="no peers, and no soak of sentences alone")
    parser.add_argument("--soak", type=float, help="seconds of each soak; 0 leaves them out")
    arguments = parser.parse_args()
    rounds = arguments.rounds or (2 if arguments.quick else 5)
    seconds = arguments.seconds or (4 if arguments.quick else 10)
    mixed = arguments.mixed if arguments.mixed is not None else (15 if arguments.quick else 60)
    soak = arguments.soak if arguments.soak is not None else (30 if arguments.quick else 600)
    texts = [] if arguments.only_mixed else sentences()
    results: list[Result] = []
    raw: list[dict] = []
    with tempfile.TemporaryDirectory() as folder:
        if rounds and arguments.peers and not arguments.only_mixed:
            raw = measured(texts, Path(folder), arguments.peers, rounds, seconds)
            results = summed_up(raw, arguments.peers)
        if mixed and rounds:
            found, more = mixed_results(Path(folder), rounds, mixed, soak)
            results += found
            raw += more
        if soak and not arguments.only_mixed:
            found, seen = soak_results(texts, Path(folder), soak)
            results += found
            raw.append(seen)
    print_results("Serving", results)
    if arguments.json:
        setup = {**SETUP, "rounds": rounds, "seconds": seconds, "mean_characters": _mean_length(texts)}
        write_report(arguments.json, results, setup=setup, raw=raw)


def sentences() -> list[str]:
    """Real sentences, the same in every run."""
    found: set[str] = set()
    for path in sorted((data_dir() / "xnli").glob("test-*.tsv")):
        with path.open(encoding="utf-8", newline="") as lines:
            rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            found.update(text for row in rows for text in row[:2] if text)
    return random.Random(0).sample(sorted(found), TEXTS)  # noqa: S311 - the same in every run


def measured(texts: list[str], scratch: Path, peers: list[str], rounds: int, seconds: float) -> list[dict]:
    """Every service in every round with every number of clients."""
    with ExitStack() as stack:
        services = []
        for name in (OWN, *peers):
            services.append(stack.enter_context(running(name, scratch)))
            services[-1].load(texts, scratch, clients=max(CLIENTS), seconds=min(5.0, seconds))  # warm-up
        require_same_model(services, texts[:16])
        for service in services:
            service.pause()
        raw = []
        for turn in range(rounds):
            order = services[turn % len(services) :] + services[: turn % len(services)]
            for service in order:
                service.resume()
                for clients in CLIENTS:
                    seen = service.load(texts, scratch, clients=clients, seconds=seconds)
                    raw.append({"round": turn, "service": service.name, "clients": clients, **seen})
                service.pause()
        return raw


def require_same_model(services: list[Service], texts: list[str]) -> None:
    """Compares what they answer; the first peer is the measure.

    Raises:
        SystemExit: two of them serve different models.
    """
    vectors = {service.name: service.embed(texts) for service in services}
    unit = {name: own / np.linalg.norm(own, axis=1, keepdims=True) for name, own in vectors.items()}
    measure = unit[services[1].name]
    for name, own in unit.items():
        least = float((own * measure).sum(axis=1).min())
        print(f"  {name}: least cosine with {services[1].name} {least:.4f}")
        if least < LEAST_COSINE:
            raise SystemExit(f"{name} and {services[1].name} do not serve the same model")


def summed_up(raw: list[dict], peers: list[str]) -> list[Result]:
    """Medians of each service, and medians of the ratios of each round."""
    figures: dict[tuple[str, int, str], list[float]] = defaultdict(list)
    for row in raw:
        if failed := {key: count for key, count in row["statuses"].items() if key != "200"}:
            print(f"  {row['service']}, {row['clients']} clients, round {row['round']}: {failed}")
        for name in ("rps", "p50", "p99", "core_percent"):
            figures[row["service"], row["clients"], name].append(row[name])
    results = [
        Result(f"{name}_{service}_{clients}", median(values), _UNITS[name], len(values))
        for (service, clients, name), values in figures.items()
    ]

    def ratio(name: str, peer: str, clients: int) -> list[float]:
        pairs = zip(figures[OWN, clients, name], figures[peer, clients, name], strict=True)
        return [own / other for own, other in pairs]

    for label, peer in _labels(figures, peers).items():
        for clients in CLIENTS:
            for name in ("rps", "p50", "p99"):
                values = ratio(name, peer, clients)
                results.append(Result(f"{name}_vs_{label}_{clients}", median(values), "x", len(values)))
    return results


_UNITS = {"rps": "requests/s", "p50": "ms", "p99": "ms", "core_percent": "% of a core in the load generator"}


def _labels(figures: dict[tuple[str, int, str], list[float]], peers: list[str]) -> dict[str, str]:
    """Against whom ratios are taken: every peer, and infinity's better float32 engine as `infinity`."""
    engines = [name for name in peers if name in {"infinity_torch", "infinity_optimum"}]
    labels = {name: name for name in peers}
    if engines:
        labels["infinity"] = max(engines, key=lambda name: median(figures[name, max(CLIENTS), "rps"]))
    return labels


def _mean_length(texts: list[str]) -> float:
    return sum(map(len, texts)) / max(1, len(texts))


if __name__ == "__main__":
    main()
