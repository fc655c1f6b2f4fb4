import pytest
import torch
from peft.tuners.lora.bnb import Linear4bit

from lowres_stilts.encoder.load import load_encoder
from lowres_stilts.modules import lora_nf4
from lowres_stilts.modules.lora import ModuleStack
from lowres_stilts.modules.names import peft_name
from tests.modules.states import randomize

CLOSE = {"float32": {"atol": 1e-5, "rtol": 1e-4}, "bf16": {"atol": 0.05, "rtol": 0.05}}


@pytest.fixture(params=["float32", "bf16"])
def compute(request):
    return request.param


def _stack(model, compute, names=("m",), **settings):
    encoder = load_encoder(str(model), quantize="nf4", compute=compute, device="cpu")
    stack = ModuleStack(encoder)
    for number, name in enumerate(names):
        stack.add_lora(name, rank=4 + number, alpha=8, targets="all-linear", **settings)
        randomize(stack, name, number)
    stack.activate(names, train=names[-1])
    return stack


def _as_peft(stack):
    for layer in stack.model.modules():
        if isinstance(layer, lora_nf4.OneStepLinear4bit):
            layer.__class__ = Linear4bit
    return stack


def _found(stack):
    ids = torch.randint(5, 40, (3, 7), generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(7) < torch.tensor([[7], [3], [5]])).long()
    torch.manual_seed(0)
    states = stack.model(input_ids=ids, attention_mask=mask).last_hidden_state
    weights = torch.randn(states.shape, generator=torch.Generator().manual_seed(1)).to(states.dtype)
    (states * weights).sum().backward()
    return states.detach(), {name: weight.grad for name, weight in stack.model.named_parameters()}


def _steps(monkeypatch):
    """Counts the layers that are computed in one step."""
    counted = []
    product = lora_nf4._Product.apply
    monkeypatch.setattr(lora_nf4._Product, "apply", lambda *given: counted.append(1) or product(*given))
    return counted


@pytest.mark.parametrize("names", [("m",), ("below", "m"), ("first", "second", "m")])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_states_and_gradients_are_pefts(tiny_model, compute, names, checkpointing, monkeypatch):
    found, expected = _stack(tiny_model, compute, names), _as_peft(_stack(tiny_model, compute, names))
    if checkpointing:
        found.model.train()
        found.model.base_model.model.gradient_checkpointing_enable({"use_reentrant": False})
    steps = _steps(monkeypatch)
    states, gradients = _found(found)
    assert steps
    steps.clear()
    plain, own = _found(expected)
    assert not steps
    torch.testing.assert_close(states, plain, **CLOSE[compute])
    learned = {name for name, gradient in own.items() if gradient is not None}
    assert learned == {name for name, gradient in gradients.items() if gradient is not None}
    assert all(f".{peft_name(names[-1])}." in name for name in learned)
    for name in learned:
        apart = (gradients[name] - own[name]).float().norm() / own[name].float().norm()
        assert apart < {"float32": 1e-4, "bf16": 0.1}[compute], name


def test_layers_are_frozen_where_none_learns(tiny_model, monkeypatch):
    stack = _stack(tiny_model, "float32")
    stack.activate(["m"])
    steps = _steps(monkeypatch)
    ids = torch.randint(5, 40, (2, 6))
    assert not stack.model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state.requires_grad
    assert steps
    steps.clear()
    stack.activate([])
    stack.model(input_ids=ids, attention_mask=torch.ones_like(ids))
    assert not steps


@pytest.mark.parametrize("settings", [{"dora": True}, {"dropout": 0.5}])
def test_what_is_more_than_products_is_left_to_peft(tiny_model, settings, monkeypatch):
    found, expected = (_stack(tiny_model, "float32", **settings) for _ in range(2))
    _as_peft(expected)
    for stack in (found, expected):
        stack.model.train()
    steps = _steps(monkeypatch)
    (states, gradients), (plain, own) = _found(found), _found(expected)
    assert not steps
    assert torch.equal(states, plain)
    assert all(gradient is None or torch.equal(gradients[name], gradient) for name, gradient in own.items())


def test_dropout_is_left_to_peft_in_training_only(tiny_model, monkeypatch):
    stack = _stack(tiny_model, "float32", dropout=0.5)
    stack.model.eval()
    steps = _steps(monkeypatch)
    _found(stack)
    assert steps


def test_learned_scalings_are_left_to_peft(tiny_model, monkeypatch):
    stack = _stack(tiny_model, "float32", ("a", "b", "m"))
    stack.fuse("m", ["a", "b"])
    stack.activate(["a", "b", "m"], train="m")
    steps = _steps(monkeypatch)
    stack.model(
        input_ids=torch.full((1, 5), 7), attention_mask=torch.ones(1, 5, dtype=torch.long)
    ).last_hidden_state.sum().backward()
    assert not steps
    assert all(
        weight.grad is not None for name, weight in stack.trainable("m").items() if name.startswith("fusion.")
    )
