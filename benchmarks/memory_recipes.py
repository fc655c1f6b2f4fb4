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

from lowres_stilts.encoder.known import known_settings
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
KNOWN = known_settings()
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
    "base": ("xlm-roberta", KNOWN["FacebookAI/xlm-roberta-base"]),
    "large": ("xlm-roberta", KNOWN["FacebookAI/xlm-roberta-large"]),
}
"""Architecture and configuration; `base` and `large` are XLM-R's."""
UNMEASURED = {"xl": KNOWN["facebook/xlm-roberta-xl"], "xxl": KNOWN["facebook/xlm-roberta-xxl"]}
"""XLM-R XL and XXL, which are only predicted where there is no GPU."""


@dataclass(frozen=True)
class Case:
    """One recipe over random words."""

    model: str
    length: int
    """Most tokens of a sequence."""
    tokens: int
    """Of a batch."""
    family: str = "classification"
    module: Mapping[str, Any] = field(default_factory=lambda: {"rank": 16, "alpha": 32})
    train: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the model."""
    below: tuple[str, ...] = ()
    """Families of intermediate tasks."""
    transfer: str = "stack"
    """Where there are some."""
    adapters: tuple[str, ...] = ()
    """Languages with an adapter of their own."""
    examples: int | None = None
    """To train on, where it is not as many as some batches take."""
    baseline: bool = False


@dataclass(frozen=True)
class Shipped:
    """A recipe of `configs`, on its real data, with less of it."""

    path: str
    changes: tuple[str, ...]


MAD_X: Mapping[str, Any] = {"module": {"kind": "bottleneck"}, "adapters": ("en", "sw", "qu")}
SHORT = (
    *("intermediate.train.limit=160", "intermediate.train.dev_limit=20", "target.train.limit=160"),
    *("target.train.dev_limit=20", "target.train.epochs=1", "evaluate.limit=10", "evaluate.baseline=false"),
)
RETRIEVAL = ("intermediate.train.limit=160", "intermediate.train.dev_limit=20", "evaluate.limit=60")
FITTED: Mapping[str, Case | Shipped] = {
    "small, classification": Case("small", 128, 8192),
    "small, bottleneck": Case("small", 128, 8192, module={"kind": "bottleneck"}),
    "MiniLM": Case("minilm", 128, 2048),
    "MiniLM, checkpointing": Case("minilm", 128, 4096, train={"gradient_checkpointing": True}),
    "MiniLM, tagging": Case("minilm", 256, 2048, "tagging"),
    "MiniLM, language adapters": Case("minilm", 64, 1024, **MAD_X),
    "MiniLM, in parts": Case("minilm", 128, 4096, train={"tokens_at_once": 1024}),
    "base": Case("base", 128, 1024),
    "quickstart": Shipped(
        "quickstart.yaml",
        ("intermediate.train.limit=300", "target.train.epochs=1", "evaluate.limit=20", "evaluate.baseline=false"),
    ),
}
"""What the constants of `pipeline/hardware.py` are set on."""
HELD_OUT: Mapping[str, Case | Shipped] = {
    "XNLI, small": Shipped("xtreme/xnli-small.yaml", SHORT),
    "PAN-X, small": Shipped("xtreme/panx-small.yaml", SHORT),
    "XCOPA, small": Shipped("xtreme/xcopa-small.yaml", SHORT),
    "TyDi QA, small": Shipped("xtreme/tydiqa-small.yaml", SHORT),
    "Tatoeba, small": Shipped("xtreme/tatoeba-small.yaml", RETRIEVAL),
    "five tasks, then TyDi QA": Shipped("xtreme/multitask-small.yaml", SHORT),
    "PAWS-X merged": Shipped("xtreme/pawsx-small.yaml", (*SHORT, "target.transfer=merge")),
    "UDPOS fused": Shipped(
        "xtreme/udpos-small.yaml", (*SHORT, "target.transfer=fuse", "intermediate.tasks=[panx, csqa]")
    ),
    "XQuAD, small": Shipped("xtreme/xquad-small.yaml", SHORT),
    "own file, 30 examples": Case("minilm", 128, 1024, examples=30),
    "own file, 300 examples": Case("minilm", 64, 1024, examples=300),
    "own file, 3,000 examples": Case("small", 64, 2048, examples=3000),
    "own file, tagging, 300 examples": Case("minilm", 128, 512, "tagging", examples=300),
    "small, larger batch": Case("small", 128, 16384),
    "small, multiple choice": Case("small", 64, 4096, "multiple_choice"),
    "small, 512 tokens, float32": Case("small", 512, 4096, settings={"compute": "float32", "quantize": "none"}),
    "small, questions": Case("small", 384, 6144, "qa"),
    "small, continued": Case("small", 128, 4096, below=("classification",), transfer="continue"),
    "small, three stacked": Case("small", 128, 4096, below=("classification", "tagging"), baseline=True),
    "small, language adapters": Case("small", 128, 4096, **MAD_X),
    "small, checkpointing": Case("small", 128, 16384, train={"gradient_checkpointing": True}),
    "XL's architecture": Case("xl-small", 128, 2048),
    "MiniLM, larger batch": Case("minilm", 128, 6144),
    "MiniLM, short sequences": Case("minilm", 32, 2048),
    "MiniLM, rank 64": Case("minilm", 64, 1024, module={"rank": 64, "alpha": 64}),
    "MiniLM, 8-bit optimizer": Case(
        "minilm", 128, 1024, module={"rank": 128, "alpha": 128}, train={"optimizer": "adamw8bit"}
    ),
    "MiniLM, questions": Case("minilm", 384, 1536, "qa"),
    "MiniLM, 6 layers checkpointed": Case("minilm", 128, 4096, train={"gradient_checkpointing": 6}),
    "MiniLM, in larger parts": Case("minilm", 128, 8192, train={"tokens_at_once": 2048}),
    "MiniLM, int8": Case("minilm", 128, 1024, settings={"quantize": "int8"}),
    "MiniLM, not quantized, float32": Case(
        "minilm", 128, 1024, settings={"quantize": "none", "embeddings": "none", "compute": "float32"}
    ),
    "MiniLM, hidden tokens": Case("minilm", 128, 1024, below=("mlm",)),
    "MiniLM, upper layers": Case("minilm", 128, 4096, module={"rank": 16, "alpha": 32, "layers": "6-11"}),
    "MiniLM, DoRA": Case("minilm", 128, 1024, module={"rank": 16, "alpha": 32, "dora": True}),
    "MiniLM, double bottleneck": Case(
        "minilm", 128, 1024, module={"kind": "bottleneck", "adapter": "double_seq_bn", "reduction": 4}
    ),
    "base, 4-bit embeddings, attention only": Case(
        "base", 64, 1024, module={"rank": 16, "alpha": 32, "targets": "attention"}, settings={"embeddings": "nf4"}
    ),
    "base, checkpointing": Case("base", 128, 2048, train={"gradient_checkpointing": True}),
}
"""What they are judged on."""
CASES: Mapping[str, Case | Shipped] = {**FITTED, **HELD_OUT}
QUICK = ("small, larger batch", "own file, 30 examples", "small, questions", "small, checkpointing")
BATCHES = 6
"""Of each phase: one of the longest sequences, the others of sequences of all lengths."""


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
    """A recipe and its data: some batches of random words, and a few examples to evaluate."""
    folder.mkdir(parents=True)
    words = words_of(Tokenizer.from_file(str(model / "tokenizer.json")))
    families = {case.family, *case.below}
    files = {_task(family): _write_splits(folder, family, words, case) for family in sorted(families)}
    if case.adapters:
        files["mlm"] = {"train": "{lang}.txt"}
        for language in case.adapters:
            _write_examples(folder / f"{language}.txt", "mlm", words, _lengths(case))
    train = {"epochs": 1, "tokens_per_batch": case.tokens, "max_length": case.length, "fit": False, **case.train}
    recipe: dict[str, Any] = {
        "name": "memory",
        "model": {"id": str(model), "device": "cpu", **case.settings},
        "data": {"source": "files", "dir": str(folder), "files": files},
        "tasks": {_task(family): _described(family, case) for family in sorted(families - {"mlm"})},
        "target": {"task": _task(case.family), "transfer": case.transfer if case.below else "none", "train": train}
        | ({} if case.transfer == "continue" else {"module": dict(case.module)}),
        "evaluate": {"baseline": case.baseline, "tokens_per_batch": 1024, "bootstrap": 100},
    }
    if case.below:
        recipe["intermediate"] = {
            "tasks": [_task(family) for family in case.below],
            "module": dict(case.module),
            "train": train,
        }
    if case.adapters:
        recipe["languages"] = {"adapters": list(case.adapters), "train": train}
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return path


def _write_splits(folder: Path, family: str, words: list[str], case: Case) -> dict[str, str]:
    splits = {"train": _lengths(case), "dev": [case.length] * 12, "test": [case.length] * 12}
    for split, lengths in splits.items():
        _write_examples(folder / f"{family}-{split}", family, words, lengths)
    return {split: f"{family}-{split}" for split in splits}


def _described(family: str, case: Case) -> dict[str, Any]:
    labels = {"labels": ["a", "b"]} if family in {"classification", "tagging"} else {}
    return {"family": family, "languages": ["en"], "max_length": case.length, **labels}


def _lengths(case: Case) -> list[int]:
    """Tokens of each training sequence: those of a batch as long as may be, the others of all lengths."""
    rng = random.Random(1)  # noqa: S311
    longest = max(4, case.tokens // case.length)
    shortest = min(24, case.length // 2)
    count = case.examples or longest + 2 * (BATCHES - 1) * case.tokens // (case.length + shortest)
    return [case.length if n < longest else rng.randint(shortest, case.length) for n in range(count)]


def _task(family: str | None) -> str:
    return "mlm" if family == "mlm" else f"own-{family}"


def words_of(tokenizer: Tokenizer) -> list[str]:
    """Words that are one piece each."""
    pieces = [piece[1:] for piece in tokenizer.get_vocab() if piece.startswith("▁") and piece[1:].isalpha()]
    return sorted(piece for piece in pieces if piece.isascii() and len(tokenizer.encode(piece).ids) == 3)[:500]


def _write_examples(path: Path, family: str, words: list[str], lengths: list[int]) -> None:
    rng = random.Random(0)  # noqa: S311

    def text(size: int) -> str:
        return " ".join(rng.choices(words, k=max(1, size)))

    if family in {"classification", "mlm"}:
        label = "" if family == "mlm" else "\ta"
        path.write_text("".join(f"{text(length - 2)}{label}\n" for length in lengths))
    elif family == "tagging":
        path.write_text("\n".join("".join(f"{w}\ta\n" for w in text(size - 2).split()) for size in lengths))
    elif family == "multiple_choice":
        lines = [{"prompt": text(length - 14), "choices": [text(10)] * 4, "label": 0} for length in lengths[::4]]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    elif family == "qa":
        contexts = [text(length - 10) for length in lengths]
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
