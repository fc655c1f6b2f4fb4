"""Time of one batch through XLM-R base, exported in several ways."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from optimum.onnxruntime import ORTModelForFeatureExtraction, ORTQuantizer
from optimum.onnxruntime.configuration import AutoQuantizationConfig
from transformers import XLMRobertaConfig, XLMRobertaModel

from lowres_stilts.export.adapters import write_adapter
from lowres_stilts.export.graph import Graph
from lowres_stilts.export.int8 import Range, quantize_rows
from lowres_stilts.export.layers import Shape
from lowres_stilts.export.model import FORMS, base_model
from lowres_stilts.export.presets import PRESETS, products_of
from lowres_stilts.export.reference import weights_of
from lowres_stilts.export.write import write_models
from lowres_stilts.runtime.adapters import load_adapter, stack_shapes, stacked
from lowres_stilts.runtime.manifest import BARE, MIXED, MODEL, WEIGHTS, AdapterPart
from lowres_stilts.runtime.session import CPU, open_session, optional_inputs
from report import Result

THREADS, RANK, ADAPTERS = 2, 8, 32
SHAPES = {"32x64": (32, 64), "1x16": (1, 16)}
SHAPE = Shape("xlm-roberta", 12, 12, 768, 1e-5, 1)
COLUMNS = {
    "attention.output.dense": 4, "intermediate.dense": 18, "output.dense": 13, "query": 5, "key": 5, "value": 5,
}  # fmt: skip
"""Most columns that outliers take in an input of the starter's layers; random weights have no outliers."""
MOST_TOKENS = 5000
"""Ids that are drawn; the rows of the embedding that are read hardly matter."""
Run = Callable[[NDArray[np.int64]], object]


def speed_results(rounds: int) -> list[Result]:
    """Ratios of times, and the time that an adapter takes to load."""
    torch.set_num_threads(THREADS)
    model = random_base()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        peers = _peers(model, folder)
        times = {name: _times(peers, *sizes, rounds) for name, sizes in SHAPES.items()}
        adapters, milliseconds = _adapters(folder, ADAPTERS)
        mixed = _mixed_times(folder, adapters, peers["int8"], rounds)
    results = [
        Result(f"ms_{peer}_{name}", 1000 * value, "ms", rounds)
        for name, own in times.items()
        for peer, value in own.items()
    ]
    for name, own in times.items():
        results.append(Result(f"int8_vs_torch_fp32_{name}", own["torch_fp32"] / own["int8"], "x", rounds))
        results.append(Result(f"int8_vs_optimum_int8_{name}", own["optimum_int8"] / own["int8"], "x", rounds))
        results.append(Result(f"int8_time_over_gemm_floor_{name}", own["int8"] / own["gemm_floor"], "x", rounds))
    results.append(Result("mixed_32_adapters_vs_merged", mixed, "x", rounds))
    results.append(Result("adapter_load_ms", milliseconds, "ms", ADAPTERS))
    return results


def random_base() -> Any:
    """XLM-R base with random weights."""
    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=250002, max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5, pad_token_id=1
    )
    return XLMRobertaModel(config, add_pooling_layer=False).eval()


def int8_forms(weights: Any, embeddings: Any = "int8") -> Iterator[tuple[str, Any]]:
    """The base's graphs as server-cpu has them, with an outlier in every input as large as the starter's."""
    storage = replace(PRESETS["server-cpu"], embeddings=embeddings)
    ranges = {}
    for name, weight in weights.items():
        columns = next((count for ending, count in COLUMNS.items() if name.endswith(f"{ending}.weight")), 0)
        largest = np.where(np.arange(weight.shape[-1]) == 0, 3.0 * (1 + columns), 3.0).astype(np.float32)
        ranges[name.removesuffix(".weight")] = Range(np.full_like(largest, -3.0), largest)
    for file, form in FORMS.items():
        yield file, base_model(SHAPE, weights, products_of(storage, ranges), form)


def _peers(model: Any, folder: Path) -> dict[str, Run]:
    weights = weights_of(model)
    write_models(folder, [*int8_forms(weights), ("floor.onnx", _floor(weights))], WEIGHTS)
    peers = {
        "int8": _session_run(folder / BARE, ["last_hidden_state"]),
        "int8_one_adapter": _with_adapter(folder),
        "gemm_floor": _floor_run(folder / "floor.onnx"),
        "optimum_int8": _optimum(model, folder / "optimum"),
        "torch_fp32": _torch(model),
        "torch_bf16": _torch(model, torch.bfloat16),
    }
    openvino = _openvino(folder / "optimum" / "model.onnx")
    return peers | ({"openvino_bf16": openvino} if openvino else {})


def _floor(weights: Any) -> Any:
    """The int8 products of all linear layers, and nothing else."""
    graph = Graph()
    inputs = {width: graph.input(f"x{width}", np.uint8, ["tokens", width]) for width in (768, 3072)}
    sums = []
    for name, weight in weights.items():
        if not (name.startswith("encoder.layer") and weight.ndim == 2):
            continue
        integers, _ = quantize_rows(weight)
        product = graph.node("MatMulInteger", inputs[weight.shape[1]], graph.constant(f"{name}_int8", integers.T))
        first = graph.node("Slice", product, *(graph.constant(f"at{n}", np.array([n])) for n in (0, 1)))
        sums.append(graph.node("ReduceSum", graph.node("Cast", first, to=1), keepdims=0))
    graph.output("sum", graph.node("Sum", *sums), [])
    return graph.model()


def _session_run(path: Path, outputs: Sequence[str]) -> Run:
    session = open_session(path, threads=THREADS, providers=CPU)
    return lambda ids: session.run(outputs, {"input_ids": ids, "attention_mask": np.ones_like(ids)})


def _floor_run(path: Path) -> Run:
    session = open_session(path, threads=THREADS, providers=CPU)
    rng = np.random.default_rng(0)
    given = {
        batch * length: {
            f"x{width}": rng.integers(0, 255, (batch * length, width), np.uint8) for width in (768, 3072)
        }
        for batch, length in SHAPES.values()
    }
    return lambda ids: session.run(None, given[ids.size])


def _optimum(model: Any, folder: Path) -> Run:
    """Plain Optimum: its export, its dynamic quantization for this CPU, a session with as many threads."""
    model.save_pretrained(folder / "torch")
    ORTModelForFeatureExtraction.from_pretrained(folder / "torch", export=True).save_pretrained(folder)
    quantizer = ORTQuantizer.from_pretrained(folder, file_name="model.onnx")
    settings = AutoQuantizationConfig.avx512_vnni(is_static=False, per_channel=False)
    quantizer.quantize(save_dir=folder, quantization_config=settings)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(folder / "model_quantized.onnx", options, providers=list(CPU))
    return lambda ids: session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})


def _torch(model: Any, autocast: torch.dtype | None = None) -> Run:
    def run(ids: NDArray[np.int64]) -> object:
        given = torch.from_numpy(ids)
        with (
            torch.inference_mode(),
            torch.autocast("cpu", autocast or torch.bfloat16, enabled=autocast is not None),
        ):
            return model(input_ids=given, attention_mask=torch.ones_like(given)).last_hidden_state

    return run


def _openvino(path: Path) -> Run | None:
    try:
        import openvino  # noqa: PLC0415 - a peer that need not be there
    except ImportError:
        return None
    settings = {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": THREADS}
    compiled = openvino.Core().compile_model(path, "CPU", settings)
    return lambda ids: compiled([ids, np.ones_like(ids)])


def _times(peers: dict[str, Run], batch: int, length: int, rounds: int) -> dict[str, float]:
    """Median seconds of each, which take turns; small batches are run several times in a turn."""
    ids = np.random.default_rng(0).integers(5, MOST_TOKENS, (batch, length))
    repeats = 1 if ids.size > 500 else 5
    measured: dict[str, list[float]] = {name: [] for name in peers}
    for turn in range(rounds + 1):
        for name, run in peers.items():
            started = time.perf_counter()
            for _ in range(repeats):
                run(ids)
            if turn:
                measured[name].append((time.perf_counter() - started) / repeats)
    return {name: median(values) for name, values in measured.items()}


def _with_adapter(folder: Path) -> Run:
    """One adapter for the batch."""
    session = open_session(folder / MODEL, threads=THREADS, providers=CPU)
    adapters, _ = _adapters(folder, 1)
    options = adapters[0].active
    return lambda ids: session.run(
        ["last_hidden_state"], {"input_ids": ids, "attention_mask": np.ones_like(ids)}, options
    )


def _adapters(folder: Path, count: int) -> tuple[list[Any], float]:
    """Random adapters over all linear layers, and the median milliseconds that one takes to load."""
    inputs = optional_inputs(open_session(folder / MODEL, threads=THREADS, providers=CPU))
    rng = np.random.default_rng(0)
    adapters, times = [], []
    for number in range(count):
        part = AdapterPart(
            name=f"a{number}", task="random", family="classification", labels=["a", "b"], no_answer=False,
            max_length=128, package="", licence="",
        )  # fmt: skip
        sizes = {"labels": 2, "features": 768}
        weights = {
            name: rng.normal(0, 0.01, [size if isinstance(size, int) else sizes.get(size, RANK) for size in shape])
            for name, shape in inputs.items()
            if "dense" not in shape and "tags" not in shape
        }
        path = folder / f"{part.name}.onnx_adapter"
        write_adapter(path, weights)
        started = time.perf_counter()
        adapters.append(load_adapter(path, part, inputs))
        times.append(1000 * (time.perf_counter() - started))
    return adapters, median(times)


def _mixed_times(folder: Path, adapters: list[Any], merged: Run, rounds: int) -> float:
    """Rows a second of 32 adapters in one batch of 32 x 64, over those of a merged model."""
    session = open_session(folder / MIXED, threads=THREADS, providers=CPU)
    inputs = optional_inputs(open_session(folder / MODEL, threads=THREADS, providers=CPU))
    bank = stacked(adapters, stack_shapes(adapters, inputs, SHAPE.hidden))

    def mixed(ids: NDArray[np.int64]) -> object:
        given = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "adapter_index": np.arange(1, 1 + len(ids)),
        }
        values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(value) for name, value in given.items()}
        return session.run_with_ort_values(["last_hidden_state"], values | bank)

    times = _times({"mixed": mixed, "merged": merged}, ADAPTERS, 64, rounds)
    return times["merged"] / times["mixed"]
