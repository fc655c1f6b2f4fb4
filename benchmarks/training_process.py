"""One measurement of `training.py` in a process of its own, so that peak memory is its own too.

Called as `training_process.py JOB OUTPUT`: a job as JSON, and the file that gets the answer.
"""

import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from tokenizers import Tokenizer, models
from transformers import AutoTokenizer, PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel

from lowres_stilts.encoder.load import load_encoder, load_tokenizer, load_weights, read_config, weights_bytes
from lowres_stilts.encoder.starter import STARTER_ID, starter_model_dir
from lowres_stilts.pipeline.environment import peak_memory_bytes
from lowres_stilts.storage import write_json
from lowres_stilts.tasks.source import FolderSource
from training_arms import ARMS, DEVICE, TASK, Job

XLMR_BASE = {"vocab_size": 250_002, "max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
TINY = {"vocab_size": 64, "hidden_size": 64, "num_attention_heads": 2, "intermediate_size": 64}
UNKNOWN, PAD = "<unk>", "<pad>"


def prepare(job: Job) -> dict[str, Any]:
    """The folder of the model: the starter, or XLM-R base with random weights and the starter's tokenizer."""
    starter = starter_model_dir()
    if job.model == STARTER_ID:
        return {"folder": str(starter)}
    tokenizer = AutoTokenizer.from_pretrained(starter)
    return {"folder": str(_write_random(Path(job.scratch) / job.model, tokenizer, XLMR_BASE))}


def load(job: Job) -> dict[str, Any]:
    """Memory before and at most while the weights are loaded, their bytes, and the tokenizer's memory."""
    # A tiny model first, so that imports and thread pools do not count as the model's memory.
    words = Tokenizer(models.WordLevel({UNKNOWN: 0, PAD: 1}, unk_token=UNKNOWN))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token=UNKNOWN, pad_token=PAD)
    load_encoder(str(_write_random(Path(job.scratch) / "tiny", tokenizer, TINY)))
    cuda = DEVICE.type == "cuda"
    before = torch.cuda.memory_allocated() if cuda else _resident()
    model = load_weights(
        job.model, read_config(job.model), None, "nf4", "int8", dtype=torch.bfloat16, device=DEVICE
    )
    peak, loaded = peak_memory_bytes(DEVICE), _resident()
    kept = load_tokenizer(job.model)
    return {
        "memory_before": before,
        "memory_peak": peak,
        "weights": weights_bytes(model),
        "tokenizer": _resident() - loaded if kept else 0,
    }


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)


def measure(job: Job) -> dict[str, Any]:
    """Warms up, then times one way of training.

    Raises:
        ValueError: the loss was not a finite number.
    """
    examples = list(FolderSource(Path(job.data)).examples(TASK, "dev", "en"))
    order = np.random.default_rng(0).permutation(len(examples))
    chosen = [examples[index] for index in order[: job.warm_up + job.timed]]
    torch.manual_seed(job.seed)
    run = ARMS[job.arm](job)
    run(chosen[: job.warm_up])
    timed = chosen[job.warm_up :]
    timing = run(timed)
    if not math.isfinite(timing.loss):
        raise ValueError(f"{job.arm}: the loss is {timing.loss}")
    return {
        **asdict(timing),
        "examples": len(timed),
        "examples_per_s": len(timed) / timing.seconds,
        "padding_share": 1 - timing.tokens / timing.positions,
        "memory_peak": peak_memory_bytes(DEVICE),
        "threads": torch.get_num_threads(),
    }


def _write_random(folder: Path, tokenizer: PreTrainedTokenizerFast, sizes: Mapping[str, Any]) -> Path:
    """An XLM-R of these sizes with random weights, and a tokenizer, as a Hugging Face folder."""
    XLMRobertaModel(XLMRobertaConfig(**sizes), add_pooling_layer=False).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


STEPS: Mapping[str, Callable[[Job], dict[str, Any]]] = {"prepare": prepare, "load": load}

if __name__ == "__main__":
    JOB = Job(**json.loads(sys.argv[1]))
    write_json(Path(sys.argv[2]), STEPS.get(JOB.arm, measure)(JOB))
