"""Each card by its kernels and types: attention over sequences of various lengths, bfloat16, and none of them."""

import pytest
import torch

from lowres_stilts.encoder.load import device_of
from lowres_stilts.errors import EncoderError
from lowres_stilts.pipeline.hardware import this_place
from tests.device.card import MODELS, RTX_3060, RTX_5090, T4
from tests.device.disguise import Card
from tests.device.learning import LORA, NF4, PLAIN, Learner, Way
from tests.device.test_training import check_same

KERNEL, BACKWARD = "_varlen_attn", "_varlen_attn_backward"


@pytest.mark.parametrize("family", ["classification", "mlm"])
@pytest.mark.parametrize("load", [NF4, PLAIN], ids=lambda load: load["quantize"])
def test_bfloat16_is_learned_without_padding(family, load, tiny_model, tmp_path):
    way = Way(family, load | {"compute": "bf16"})
    here = Learner(tiny_model, way, "cpu").learn(tmp_path / "cpu")
    with Card(RTX_3060) as card:
        learner = Learner(tiny_model, way)
        there = learner.learn(tmp_path / "card")
    assert card.counts.launched[KERNEL]
    assert card.counts.launched[KERNEL] > card.counts.launched[BACKWARD] > 0
    assert "_scaled_dot_product_flash_attention_for_cpu" not in card.counts.launched
    assert there.losses == pytest.approx(here.losses, rel=0.02)


def test_layers_computed_twice_in_bfloat16_learn_the_same(tiny_model, tmp_path):
    ways = [
        Way("tagging", NF4 | {"compute": "bf16"}, {**LORA, "dropout": 0.2}, {"gradient_checkpointing": wanted})
        for wanted in (False, True)
    ]
    with Card(RTX_5090):
        once, twice = (Learner(tiny_model, way).learn(tmp_path / f"{way.schedule}") for way in ways)
    check_same(once, twice)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_every_card_learns_in_float32(model, tiny_model, tmp_path, on_cpu):
    way = Way("classification")
    with Card(model) as card:
        there = Learner(tiny_model, way).learn(tmp_path / "card")
    assert KERNEL not in card.counts.launched
    check_same(on_cpu(way), there)


def test_bfloat16_fails_on_a_card_without_it(tiny_model, tmp_path):
    with Card(T4):
        learner = Learner(tiny_model, Way("classification", NF4 | {"compute": "bf16"}))
        with pytest.raises(RuntimeError, match="Tesla T4 has no bfloat16"):
            learner.learn(tmp_path / "c")


def test_recipes_find_the_card_and_its_memory():
    with pytest.raises(EncoderError, match="no CUDA device here"):
        device_of("cuda")
    with Card(RTX_3060):
        assert device_of("auto") == device_of("cuda") == torch.device("cuda", 0)
        held = torch.zeros(10**6, device="cuda")
        place = this_place("auto")
        assert place.cuda
        assert place.budget == round(0.9 * (RTX_3060.memory - held.nbytes))
        assert not this_place("cpu").cuda
