"""The card itself: where tensors are, what is refused, counted and held."""

import copy
import gc

import bitsandbytes as bnb
import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from tests.device.card import MODELS, RTX_3060, RTX_4090, T4
from tests.device.disguise import Card, MixedDevicesError

HERE = "test_disguise.py"


def test_tensors_are_where_they_were_made_or_sent(card):
    here, there = torch.ones(2, 3), torch.ones(2, 3, device="cuda")
    assert (here.device.type, here.is_cuda, here.is_cpu, here.get_device()) == ("cpu", False, True, -1)
    assert (there.device, there.is_cuda, there.is_cpu, there.get_device()) == (
        torch.device("cuda", 0),
        True,
        False,
        0,
    )
    for sent in (here.cuda(), here.to("cuda"), here.to(there), here.to("cuda", torch.float16), here.to(device=0)):
        assert sent.is_cuda
    made = [
        there + 1,
        there[0],
        there.t(),
        there.new_zeros(2),
        torch.zeros_like(there),
        there.view(6),
        there.half(),
    ]
    made += [
        torch.tensor([1], device="cuda"),
        torch.arange(3, device="cuda"),
        there.new_tensor([1]),
        there.clone(),
    ]
    made += [nn.Parameter(there), nn.Linear(2, 2).to("cuda").weight, copy.deepcopy(there), there.detach()]
    assert all(tensor.is_cuda for tensor in made)
    back = [there.cpu(), there.to("cpu"), torch.zeros_like(there, device="cpu"), there.to(here)]
    assert not any(tensor.is_cuda for tensor in back)
    assert torch.equal(there.cpu(), here)
    assert there.to("cuda") is there


def test_a_copy_is_another_memory(card):
    here = torch.ones(3)
    there = here.to("cuda")
    there += 1
    assert here.tolist() == [1, 1, 1]
    assert there.cpu().tolist() == [2, 2, 2]


def test_gradients_cross_between_devices(card):
    weight = torch.ones(3, requires_grad=True)
    (weight.to("cuda") * torch.arange(3.0, device="cuda")).sum().backward()
    assert weight.grad.device.type == "cpu"
    assert weight.grad.tolist() == [0, 1, 2]


def test_mixing_is_an_error_that_names_the_line(card):
    here, there = torch.ones(2, 2), torch.ones(2, 2, device="cuda")
    codes = torch.zeros(32, 1, dtype=torch.uint8, device="cuda")
    mixtures = [
        lambda: there + here,
        lambda: here @ there,
        lambda: torch.cat([there, here]),
        lambda: torch.where(here > 0, there, there),
        lambda: nn.functional.linear(there, here),
        lambda: nn.functional.embedding(here.long(), there),
        lambda: there.index_copy(0, torch.tensor([0]), there[:1]),
        lambda: torch._foreach_add([there], [here]),
        lambda: nn.LayerNorm(2)(there),
        lambda: torch.ops.bitsandbytes.dequantize_4bit(codes, torch.ones(1), 64, "nf4", [8, 8], torch.float32),
    ]
    for mixture in mixtures:
        with pytest.raises(MixedDevicesError, match=rf"^{HERE}:{mixture.__code__.co_firstlineno}: "):
            mixture()


def test_what_cuda_allows_is_no_mixing(card):
    there = torch.arange(4.0, device="cuda")
    card.counts.clear()
    assert (there * torch.tensor(2.0)).is_cuda  # a number
    assert there[torch.tensor([1, 2])].is_cuda  # indices are brought there
    assert card.counts.sent.total() == 1
    there[torch.tensor([0])] = 1
    there.copy_(torch.ones(4))
    assert card.counts.sent.total() == 3
    with pytest.raises(TypeError, match=r"Tensor\.cpu"):
        there.numpy()
    with pytest.raises(TypeError, match=r"Tensor\.cpu"):
        np.asarray(there)
    weight = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="different device"):
        weight.grad = torch.ones(2, device="cuda")


WAITS = {
    "item": lambda t: t.sum().item(),
    "float": lambda t: float(t[0]),
    "truth": lambda t: bool((t > 0).all()),
    "tolist": lambda t: t.tolist(),
    "nonzero": lambda t: t.nonzero(),
    "mask": lambda t: t[t > 1],
    "mask, set": lambda t: t.masked_fill(t > 1, 0).__setitem__(t > 1, torch.tensor(0.0)),
    "masked_select": lambda t: t.masked_select(t > 1),
    "unique": lambda t: t.unique(),
    "equal": lambda t: torch.equal(t, t + 1),
    "cpu": lambda t: t.cpu(),
    "copy to the host": lambda t: torch.empty(4).copy_(t),
    "copy to the card": lambda t: torch.ones(4).to(t.device),
    "numbers to the card": lambda t: torch.tensor([1.0, 2.0], device="cuda"),
    "not pinned": lambda t: torch.ones(4).to("cuda", non_blocking=True),
    "synchronize": lambda t: torch.cuda.synchronize(),
}


@pytest.mark.parametrize("name", WAITS)
def test_waits_are_counted_with_their_line(card, name):
    tensor = torch.arange(4.0, device="cuda")
    card.counts.clear()
    WAITS[name](tensor)
    assert card.counts.waits == 1
    ((_, line),) = card.counts.waited
    assert line == f"{HERE}:{WAITS[name].__code__.co_firstlineno}"


def test_work_and_pinned_transfers_are_not_waited_for(card):
    pinned = torch.ones(4).pin_memory()
    assert pinned.is_pinned()
    assert not torch.ones(4).is_pinned()
    sent = pinned.to("cuda", non_blocking=True)
    (sent.sum() * sent[1:].max()).exp()
    assert card.counts.waits == 0
    assert card.counts.sent.total() == 1
    assert card.counts.launched == {"sum": 1, "max": 1, "mul": 1, "exp": 1}


def test_views_launch_nothing_and_work_on_the_cpu_is_not_counted(card):
    there = torch.ones(4, 6, device="cuda")
    card.counts.clear()
    there.t()[1:].unsqueeze(0).expand(2, 5, 4).transpose(0, 1)[0].detach()
    torch.ones(3).sum().item()
    assert (card.counts.launches, card.counts.waits) == (0, 0)
    torch._foreach_mul_([there, there], 2)
    assert card.counts.launched == {"_foreach_mul_": 1}


def test_bytes_are_those_of_living_tensors(card):
    tensors = [torch.zeros(1000, device="cuda") for _ in range(3)]
    assert card.memory.alive == torch.cuda.memory_allocated() == 12000
    tensors += [tensors[0][10:], tensors[0].view(10, 100)]
    assert card.memory.alive == 12000
    del tensors[1:3]
    assert (card.memory.alive, card.memory.peak, torch.cuda.max_memory_allocated()) == (4000, 12000, 12000)
    del tensors
    gc.collect()
    assert card.memory.alive == 0
    torch.cuda.reset_peak_memory_stats()
    assert torch.cuda.max_memory_allocated() == 0


def test_memory_ends_where_it_is_told():
    with Card(size=10_000) as card:
        first = torch.zeros(1000, device="cuda")
        with pytest.raises(torch.OutOfMemoryError, match="Tried to allocate 8000 bytes; 4000 of 10000"):
            torch.cat([first, first])
        with pytest.raises(torch.OutOfMemoryError):
            torch.zeros(2000).to("cuda")
        assert torch.cuda.mem_get_info() == (6000, 10_000)
        card.memory.size = 12_000
        assert torch.cat([first, first]).is_cuda


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_card_says_what_it_is(model):
    with Card(model):
        properties = torch.cuda.get_device_properties(0)
        assert (properties.name, (properties.major, properties.minor)) == (model.name, model.capability)
        assert torch.cuda.get_device_capability() == model.capability
        assert properties.total_memory == model.memory
        assert torch.cuda.is_bf16_supported(including_emulation=False) == (model.capability >= (8, 0))
    assert not torch.cuda.is_available()


def test_a_card_before_ampere_multiplies_no_bfloat16():
    for model in (T4, RTX_3060):
        with Card(model):
            left = torch.ones(32, 32, device="cuda", dtype=torch.bfloat16)
            assert (left + left).dtype == torch.bfloat16
            assert (left.half() @ left.half()).is_cuda
            if model is RTX_3060:
                left @ left
                continue
            with pytest.raises(RuntimeError, match=r"Tesla T4 has no bfloat16 for aten\.mm"):
                left @ left


def test_parameters_of_bitsandbytes_live_on_it(card):
    weight = torch.randn(64, 64)
    four = bnb.nn.Params4bit(weight, requires_grad=False, quant_type="nf4").to("cuda")
    assert four.is_cuda
    assert four.quant_state.absmax.is_cuda
    assert isinstance(four, bnb.nn.Params4bit)
    found = bnb.functional.dequantize_4bit(four.data, four.quant_state)
    assert found.is_cuda
    assert (found.cpu() - weight).abs().max() < 0.5
    eight = bnb.nn.Linear8bitLt(64, 64, has_fp16_weights=False).to("cuda")
    assert eight.weight.is_cuda
    assert isinstance(eight.weight, bnb.nn.Int8Params)
    assert eight(torch.ones(2, 64, device="cuda", dtype=torch.float16)).is_cuda


def test_checkpointed_layers_know_where_they_are_in_the_backward_pass(card):
    seen = []

    def layer(states):
        seen.append(states.device.type)
        return torch.dropout(states, 0.5, train=True) * states.new_ones(1)

    states = torch.ones(8, device="cuda", requires_grad=True)
    out = checkpoint(layer, states, use_reentrant=False)
    out.sum().backward()
    assert seen == ["cuda", "cuda"]
    assert torch.equal(states.grad, out)


def test_nothing_is_left_when_the_card_is_off():
    with Card(RTX_4090):
        tensor = torch.ones(3, device="cuda")
    assert tensor.device.type == "cpu"
    assert not torch.cuda.is_available()
    assert torch.ones(3) @ tensor == 3
