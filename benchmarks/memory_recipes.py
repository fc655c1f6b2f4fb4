"""The models and recipes that `memory.py` predicts and runs: sizes, kinds, lengths and batches of all sorts."""

import json
import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import yaml
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaModel,
    XLMRobertaXLConfig,
    XLMRobertaXLModel,
)

from lowres_stilts.encoder.starter import starter_model_dir

LARGE_VOCABULARY = 250_002
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
BOS, PAD, EOS, UNKNOWN, _ = SPECIAL
CLASSES = {
    "bert": (BertConfig, BertModel),
    "xlm-roberta": (XLMRobertaConfig, XLMRobertaModel),
    "xlm-roberta-xl": (XLMRobertaXLConfig, XLMRobertaXLModel),
}
COMMON = {"max_position_embeddings": 514, "pad_token_id": 1}
XLMR = {**COMMON, "vocab_size": LARGE_VOCABULARY, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
SIZES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "small": (
        "xlm-roberta",
        {
            **COMMON,
            "vocab_size": 4096,
            "hidden_size": 256,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "intermediate_size": 1024,
        },
    ),
    "xl-small": (
        "xlm-roberta-xl",
        {
            **COMMON,
            "vocab_size": 4096,
            "hidden_size": 512,
            "num_hidden_layers": 8,
            "num_attention_heads": 8,
            "intermediate_size": 2048,
        },
    ),
    "minilm": (
        "bert",
        {
            **COMMON,
            "vocab_size": LARGE_VOCABULARY,
            "hidden_size": 384,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "intermediate_size": 1536,
        },
    ),
    "base": ("xlm-roberta", XLMR),
    "large": (
        "xlm-roberta",
        {
            **XLMR,
            "hidden_size": 1024,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "intermediate_size": 4096,
        },
    ),
}
"""Architecture and configuration; `base` and `large` are XLM-R's."""
XL = {**XLMR, "vocab_size": 250_880}
UNMEASURED = {
    "xl": {
        **XL,
        "hidden_size": 2560,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "intermediate_size": 10240,
    },
    "xxl": {
        **XL,
        "hidden_size": 4096,
        "num_hidden_layers": 48,
        "num_attention_heads": 32,
        "intermediate_size": 16384,
    },
}
"""XLM-R XL and XXL, which are only predicted where there is no GPU."""


@dataclass(frozen=True)
class Case:
    """One recipe."""

    model: str
    length: int
    """Tokens of every sequence."""
    tokens: int
    """Of a batch."""
    family: str = "classification"
    module: Mapping[str, Any] = field(default_factory=lambda: {"rank": 16, "alpha": 32})
    train: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the model."""
    below: str | None = None
    """Family of an intermediate task, under a stacked module."""


CASES: Mapping[str, Case] = {
    "small, classification": Case("small", 128, 8192),
    "small, multiple choice": Case("small", 64, 8192, "multiple_choice"),
    "small, long sequences, float32": Case(
        "small", 512, 8192, settings={"compute": "float32", "quantize": "none"}
    ),
    "small, bottleneck": Case("small", 128, 16384, module={"kind": "bottleneck"}),
    "XL's architecture": Case("xl-small", 128, 8192),
    "XL's architecture, checkpointing": Case("xl-small", 128, 16384, train={"gradient_checkpointing": True}),
    "MiniLM": Case("minilm", 128, 2048),
    "MiniLM, larger batch": Case("minilm", 128, 8192),
    "MiniLM, rank 64, short": Case("minilm", 32, 4096, module={"rank": 64, "alpha": 64}),
    "MiniLM, rank 128, 8-bit optimizer": Case(
        "minilm", 128, 2048, module={"rank": 128, "alpha": 128}, train={"optimizer": "adamw8bit"}
    ),
    "MiniLM, tagging": Case("minilm", 256, 4096, "tagging"),
    "MiniLM, questions": Case("minilm", 384, 4608, "qa"),
    "MiniLM, checkpointing": Case("minilm", 128, 8192, train={"gradient_checkpointing": True}),
    "MiniLM, 6 layers checkpointed": Case("minilm", 128, 8192, train={"gradient_checkpointing": 6}),
    "MiniLM, in parts": Case("minilm", 128, 8192, train={"tokens_at_once": 2048}),
    "MiniLM, int8": Case("minilm", 128, 4096, settings={"quantize": "int8"}),
    "MiniLM, not quantized, float32": Case(
        "minilm", 128, 4096, settings={"quantize": "none", "embeddings": "none", "compute": "float32"}
    ),
    "MiniLM, hidden tokens": Case("minilm", 128, 1024, below="mlm"),
    "MiniLM, stacked": Case("minilm", 128, 4096, below="classification"),
    "MiniLM, double bottleneck": Case(
        "minilm", 128, 4096, module={"kind": "bottleneck", "adapter": "double_seq_bn", "reduction": 4}
    ),
    "MiniLM, upper layers": Case("minilm", 128, 8192, module={"rank": 16, "alpha": 32, "layers": "6-11"}),
    "base": Case("base", 128, 2048),
    "base, 4-bit embeddings, attention only": Case(
        "base", 64, 4096, module={"rank": 16, "alpha": 32, "targets": "attention"}, settings={"embeddings": "nf4"}
    ),
    "base, checkpointing": Case("base", 128, 4096, train={"gradient_checkpointing": True}),
    "base, int8": Case("base", 128, 1024, settings={"quantize": "int8"}),
    "base, DoRA": Case("base", 128, 1024, module={"rank": 16, "alpha": 32, "dora": True}),
    "large, checkpointing": Case("large", 128, 2048, train={"gradient_checkpointing": True}),
}
QUICK = ("small, classification", "small, bottleneck", "MiniLM", "MiniLM, checkpointing", "MiniLM, tagging")


def write_model(name: str, folder: Path) -> Path:
    """A Hugging Face folder with random weights of a configuration, once."""
    place = folder / name
    if not place.exists():
        torch.manual_seed(0)
        family, sizes = SIZES[name]
        config, model = CLASSES[family]
        if sizes["vocab_size"] == LARGE_VOCABULARY:
            place.mkdir(parents=True)
            for file in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
                shutil.copy(starter_model_dir() / file, place)
        else:
            as_transformers(word_tokenizer(sizes["vocab_size"])).save_pretrained(place)
        model(config(**sizes), add_pooling_layer=False).save_pretrained(place)
    return place


def write_recipe(case: Case, model: Path, folder: Path) -> Path:
    """A recipe and its data: two batches of random words, and a few examples to evaluate."""
    folder.mkdir(parents=True)
    words = words_of(Tokenizer.from_file(str(model / "tokenizer.json")))
    rows = -(-2 * case.tokens // case.length)
    files = {}
    for family in {case.family, case.below} - {None}:
        splits = {"train": rows, "dev": 4, "test": 4}
        files[_task(family)] = {split: f"{family}-{split}" for split in splits}
        for split, count in splits.items():
            _write_examples(folder / f"{family}-{split}", str(family), words, count, case.length)
    train = {"epochs": 1, "tokens_per_batch": case.tokens, "max_length": case.length, "fit": False, **case.train}
    tasks = {
        _task(family): {"family": family, "languages": ["en"], "max_length": case.length}
        | ({"labels": ["a", "b"]} if family in {"classification", "tagging"} else {})
        for family in {case.family, case.below} - {None, "mlm"}
    }
    recipe: dict[str, Any] = {
        "name": "memory",
        "model": {"id": str(model), "device": "cpu", **case.settings},
        "data": {"source": "files", "dir": str(folder), "files": files},
        "tasks": tasks,
        "target": {
            "task": _task(case.family),
            "transfer": "stack" if case.below else "none",
            "module": dict(case.module),
            "train": train,
        },
        "evaluate": {"baseline": False, "tokens_per_batch": 1024, "bootstrap": 100},
    }
    if case.below:
        recipe["intermediate"] = {"tasks": [_task(case.below)], "module": dict(case.module), "train": train}
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return path


def _task(family: str | None) -> str:
    return "mlm" if family == "mlm" else f"own-{family}"


def words_of(tokenizer: Tokenizer) -> list[str]:
    """Words that are one piece each."""
    pieces = [piece[1:] for piece in tokenizer.get_vocab() if piece.startswith("▁") and piece[1:].isalpha()]
    return sorted(piece for piece in pieces if piece.isascii() and len(tokenizer.encode(piece).ids) == 3)[:500]


def _write_examples(path: Path, family: str, words: list[str], count: int, length: int) -> None:
    rng = random.Random(0)  # noqa: S311

    def text(size: int) -> str:
        return " ".join(rng.choices(words, k=size))

    if family in {"classification", "mlm"}:
        label = "" if family == "mlm" else "\ta"
        path.write_text("".join(f"{text(length - 2)}{label}\n" for _ in range(count)))
    elif family == "tagging":
        path.write_text("\n".join("".join(f"{w}\ta\n" for w in text(length - 2).split()) for _ in range(count)))
    elif family == "multiple_choice":
        lines = [
            {"prompt": text(length - 14), "choices": [text(10)] * 4, "label": 0} for _ in range(-(-count // 4))
        ]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    elif family == "qa":
        contexts = [text(length - 10) for _ in range(count)]
        paragraphs = [
            {
                "context": each,
                "qas": [
                    {"id": f"q{n}", "question": text(5), "answers": [{"text": each.split()[0], "answer_start": 0}]}
                ],
            }
            for n, each in enumerate(contexts)
        ]
        path.write_text(json.dumps({"data": [{"title": "", "paragraphs": paragraphs}]}))


def word_tokenizer(size: int) -> Tokenizer:
    """Unigram over so many words."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = [f"{a}{b}{c}" for a in letters for b in letters for c in letters]
    pieces = [(piece, 0.0) for piece in SPECIAL] + [(f"▁{name}", -2.0) for name in names[: size - len(SPECIAL)]]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=SPECIAL.index("<unk>")))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer


def as_transformers(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """With the roles of its special tokens."""
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BOS, pad_token=PAD, eos_token=EOS, unk_token=UNKNOWN
    )
