"""Tiny real encoders of each supported family, written as Hugging Face folders."""

from pathlib import Path

import torch
from transformers import (
    BertConfig,
    BertModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaModel,
    XLMRobertaXLConfig,
    XLMRobertaXLModel,
)

from tests.once import Once
from tests.tiny import tiny_tokenizer

# bitsandbytes wants output sizes divisible by 32 on CPUs.
SIZES = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 128,
    "max_position_embeddings": 80,
    "pad_token_id": 1,
}


def _model(family: str, vocabulary: int, layers: int) -> PreTrainedModel:
    sizes = SIZES | {"vocab_size": vocabulary, "num_hidden_layers": layers}
    if family == "bert":
        return BertModel(BertConfig(**sizes), add_pooling_layer=False)
    if family == "xlm-roberta-xl":
        return XLMRobertaXLModel(XLMRobertaXLConfig(**sizes), add_pooling_layer=False)
    return XLMRobertaModel(XLMRobertaConfig(**sizes), add_pooling_layer=False)


def write_tiny_model(folder: Path, family: str = "xlm-roberta", *, layers: int = 2) -> Path:
    """Writes a tiny encoder with seeded random weights and its tokenizer."""
    torch.manual_seed(0)
    tokenizer = tiny_tokenizer()
    _model(family, tokenizer.get_vocab_size(), layers).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    return folder


def tiny_base(once: Once, family: str = "xlm-roberta") -> Path:
    """A tiny encoder that tests share; nobody may change it."""

    def make(folder: Path) -> None:
        with torch.random.fork_rng(devices=[]):
            write_tiny_model(folder, family)

    return once(f"base-{family}", make)
