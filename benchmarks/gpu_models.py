"""Encoders with random weights, and tasks of every family over random words, for `gpu.py`."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import XLMRobertaConfig, XLMRobertaModel, XLMRobertaXLConfig

from lowres_stilts.data.examples import Answer, ChoiceExample, Question, TaggedSentence, TextExample
from lowres_stilts.encoder.build import empty_model
from lowres_stilts.encoder.load import DTYPES, NO_DROPOUT, Encoder, frozen_model
from lowres_stilts.tasks.task import Task
from memory_recipes import SIZES, UNMEASURED, as_transformers, word_tokenizer, words_of

if TYPE_CHECKING:
    from lowres_stilts.encoder.tensors import Source

VOCABULARY = 4096
"""Words of the tokenizer; encoders have XLM-R's vocabulary, and use that much of it."""
FAMILIES = ("classification", "tagging", "multiple_choice", "qa", "mlm")


@dataclass(frozen=True)
class _Random:
    """A weight that is drawn on the device as it is asked for."""

    shape: tuple[int, ...]
    device: torch.device
    ones: bool

    def rows(self, start: int, end: int) -> Tensor:
        shape = (end - start, *self.shape[1:])
        if self.ones:
            return torch.ones(shape, device=self.device)
        return torch.randn(shape, device=self.device) * 0.02


def configuration(name: str) -> Any:
    """Of an encoder of `memory_recipes.py`, XLM-R XL and XXL too."""
    if name in UNMEASURED:
        return XLMRobertaXLConfig(**{**UNMEASURED[name], **NO_DROPOUT})
    family, sizes = SIZES[name]
    kind = XLMRobertaXLConfig if family == "xlm-roberta-xl" else XLMRobertaConfig
    return kind(**{**sizes, **NO_DROPOUT})


def random_encoder(name: str, device: torch.device, compute: str = "bf16") -> Encoder:
    """A quantized encoder whose weights no file holds."""
    config = configuration(name)
    shapes = empty_model(config, quantize="none", dtype=torch.float32, attention="eager")
    sources: Mapping[str, Source] = {
        key: _Random(tuple(weight.shape), device, ones="LayerNorm.weight" in key or "layer_norm.weight" in key)
        for key, weight in shapes.named_parameters()
    }
    dtype = DTYPES["bf16" if compute == "bf16" else "float32"]
    model = frozen_model(config, sources, "nf4", "int8", dtype=dtype, device=device)
    return Encoder(model, word_tokenizer(VOCABULARY), name, int(config.pad_token_id), device, dtype, name)


def write_large(name: str, folder: Path, device: torch.device) -> Path:
    """A Hugging Face folder with random weights in bfloat16 and the tokenizer of random words."""
    if not folder.exists():
        with device:
            model = XLMRobertaModel(configuration(name), add_pooling_layer=False).to(torch.bfloat16)
        model.save_pretrained(folder)
        as_transformers(word_tokenizer(VOCABULARY)).save_pretrained(folder)
    return folder


def task_of(family: str, length: int) -> Task:
    """A task of a family."""
    labels = ("a", "b", "c") if family in {"classification", "tagging"} else ()
    return Task(family, family, "random words", ("en",), "accuracy", labels=labels, max_length=length)


def random_examples(family: str, count: int, *, longest: int, seed: int = 0) -> list[Any]:
    """Examples of a family, of all lengths up to some words; words tell the labels."""
    rng, words = random.Random(seed), words_of(word_tokenizer(VOCABULARY))  # noqa: S311

    def text(most: int) -> list[str]:
        return rng.choices(words, k=rng.randint(3, most))

    def label(chosen: Sequence[str]) -> str:
        return "abc"[ord(chosen[0][-1]) % 3]

    made: list[Any] = []
    for number in range(count):
        chosen = text(longest)
        whole = " ".join(chosen)
        if family == "classification":
            which = rng.randrange(3)
            made.append(TextExample(" ".join(rng.choices(words[which::3], k=len(chosen))), None, "abc"[which]))
        elif family == "tagging":
            made.append(TaggedSentence(tuple(chosen), tuple(label([word]) for word in chosen)))
        elif family == "multiple_choice":
            choices = tuple(" ".join(text(longest // 2)) for _ in range(rng.randint(2, 4)))
            made.append(ChoiceExample(whole, choices, ord(chosen[0][-1]) % len(choices)))
        elif family == "qa":
            word = rng.choice(chosen)
            answer = Answer(word, whole.index(word))
            made.append(Question(str(number), f"{word} {chosen[0]}", whole, (answer,)))
        else:
            made.append(TextExample(whole, None, None))
    return made


def pairs(count: int, *, seed: int = 0) -> list[TextExample]:
    """Pairs as long as XNLI's: some 20 words and 10."""
    rng, words = random.Random(seed), words_of(word_tokenizer(VOCABULARY))  # noqa: S311

    def text(mean: int) -> str:
        size = max(3, min(70, round(rng.lognormvariate(0, 0.5) * mean)))
        return " ".join(rng.choices(words, k=size))

    labels = ("entailment", "neutral", "contradiction")
    return [TextExample(text(20), text(10), rng.choice(labels)) for _ in range(count)]
