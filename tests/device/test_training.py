"""Everything is trained on the card as on the CPU: the same losses, weights and predictions."""

import numpy as np
import pytest
import torch

from tests.device.disguise import Card
from tests.device.learning import BOTTLENECK, INT8, LORA, NF4, PLAIN, Way

FAMILIES = ("classification", "multiple_choice", "tagging", "qa", "mlm")
EIGHT_BIT = {"eight_bit": True}
IN_PAGES = {**LORA, "rank": 1600, "alpha": 1600, "targets": ["query"], "layers": "1"}
"""Weights of more than 100,000 values, whose moments bitsandbytes may move to the CPU's memory."""
WAYS = {
    **{f"{family}, LoRA on NF4": Way(family) for family in FAMILIES},
    **{f"{family}, bottleneck on NF4": Way(family, NF4, BOTTLENECK) for family in FAMILIES},
    "LoRA, nothing quantized": Way("tagging", PLAIN),
    "LoRA on int8": Way("classification", INT8),
    "bottleneck, nothing quantized": Way("classification", PLAIN, BOTTLENECK),
    "bottleneck on int8": Way("classification", INT8, BOTTLENECK),
    "embeddings as they are": Way("mlm", NF4 | {"embeddings": "none"}),
    "embeddings in NF4": Way("mlm", NF4 | {"embeddings": "nf4"}),
    "embeddings offloaded": Way("classification", NF4 | {"offload_embeddings": True}),
    "embeddings offloaded, hidden tokens": Way("mlm", PLAIN | {"offload_embeddings": True}),
    "layers computed twice": Way("tagging", NF4, LORA, {"gradient_checkpointing": True}),
    "one layer computed twice, with dropout": Way(
        "classification", NF4, {**LORA, "dropout": 0.2}, {"gradient_checkpointing": 1}
    ),
    "optimizer in 8 bits": Way("classification", NF4, {**LORA, "rank": 64}, EIGHT_BIT),  # smaller ones have 32
    "optimizer in pages": Way("classification", NF4, IN_PAGES, EIGHT_BIT),
    "batches in parts": Way("qa", NF4, LORA, {"accumulate": 2, "tokens_at_once": 60}),
    "lower layers computed once": Way(
        "classification", NF4, {**LORA, "layers": "1"}, {"reuse_lower_layers": True}
    ),
    "DoRA": Way("classification", NF4, {**LORA, "dora": True}),
    "LoftQ": Way("classification", NF4, {**LORA, "init": "loftq"}),
    "rsLoRA on attention": Way("classification", NF4, {**LORA, "rslora": True, "targets": "attention"}),
    "double bottleneck": Way("classification", NF4, {**BOTTLENECK, "adapter": "double_seq_bn"}),
    "parallel bottleneck": Way("classification", NF4, {**BOTTLENECK, "adapter": "par_bn"}),
    "language adapter": Way("mlm", NF4, {**BOTTLENECK, "kind": "language"}),
}


def check_same(here, there, *, apart=2e-5):
    """Whether the CPU and the card learned the same."""
    assert there.losses == pytest.approx(here.losses, abs=apart)
    assert here.weights.keys() == there.weights.keys()
    for name, weight in here.weights.items():
        torch.testing.assert_close(there.weights[name], weight, atol=20 * apart, rtol=1e-3, msg=name)
    for one, other in zip(_flat(here.predictions), _flat(there.predictions), strict=True):
        np.testing.assert_allclose(other, one, atol=100 * apart)


def _flat(predictions):
    return predictions if isinstance(predictions, list) else [predictions]


@pytest.mark.parametrize("name", WAYS)
def test_the_card_learns_what_the_cpu_learns(name, on_cpu, on_card):
    way = WAYS[name]
    with Card() as card:
        there = on_card(way)
    assert card.counts.launched["native_layer_norm"]
    check_same(on_cpu(way), there, apart=2e-5)
