import pytest
import torch
from torch import nn

from lowres_stilts.training.optimizer import MasterAdamW


def _optimizer(parameter, **changes):
    settings = {"weight_decay": 0.1, "clip_norm": 1.0, "updates": 10, "warmup": 0.3} | changes
    return MasterAdamW([(1e-3, {"p": parameter})], **settings)


def test_equals_torch_adamw_on_float32():
    torch.manual_seed(0)
    mine, theirs = nn.Parameter(torch.randn(5)), None
    theirs = nn.Parameter(mine.detach().clone())
    optimizer = _optimizer(mine)
    reference = torch.optim.AdamW([theirs], lr=1e-3, weight_decay=0.1)
    for update in range(10):
        gradient = torch.randn(5)
        mine.grad, theirs.grad = gradient.clone(), gradient.clone()
        optimizer.accumulate()
        optimizer.step(update)
        for group in reference.param_groups:
            group["lr"] = 1e-3 * optimizer.rate(update)
        nn.utils.clip_grad_norm_([theirs], 1.0)
        reference.step()
        torch.testing.assert_close(mine, theirs)


def test_small_updates_are_not_lost_in_bfloat16():
    parameter = nn.Parameter(torch.ones(4, dtype=torch.bfloat16))
    optimizer = _optimizer(parameter, weight_decay=0.0, updates=1000, warmup=0.0)
    for update in range(100):  # each update alone is below half a unit of bfloat16 at 1.0
        parameter.grad = torch.ones_like(parameter)
        optimizer.accumulate()
        optimizer.step(update)
    assert parameter[0].item() == pytest.approx(0.905, abs=0.01)


def test_rate_rises_then_falls_to_zero():
    rates = [_optimizer(nn.Parameter(torch.ones(1))).rate(update) for update in range(10)]
    assert rates[:3] == pytest.approx([1 / 3, 2 / 3, 1])
    assert rates[3] == 1
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[-1] == pytest.approx(1 / 7)


def test_accumulated_gradients_are_summed():
    parameter = nn.Parameter(torch.zeros(2))
    optimizer = _optimizer(parameter)
    for _ in range(3):
        parameter.grad = torch.tensor([1.0, 2.0])
        optimizer.accumulate()
        assert parameter.grad is None
    torch.testing.assert_close(optimizer.masters["p"].grad, torch.tensor([3.0, 6.0]))
