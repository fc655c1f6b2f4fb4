"""The card finds what would fail or wait on a GPU: faults that are put in by hand."""

import pytest
import torch
from torch import nn

from lowres_stilts.training import update
from tests.device.disguise import MixedDevicesError
from tests.device.learning import Learner, Way

WAY = Way("tagging")


def test_a_tensor_left_on_the_cpu(tiny_model, tmp_path, card, monkeypatch):
    sent = update.send_batch

    def forgetful(encoder, ids, mask, labels):
        return [*sent(encoder, ids, mask), torch.from_numpy(labels)]

    monkeypatch.setattr(update, "send_batch", forgetful)
    with pytest.raises(MixedDevicesError, match=r"^training/loss\.py:\d+: aten\.nll_loss_forward"):
        Learner(tiny_model, WAY).learn(tmp_path / "c")


def test_a_parameter_missed_by_to(tiny_model, tmp_path, card):
    learner = Learner(tiny_model, WAY)
    projection = learner.network.head("tagging").projection
    projection.bias = nn.Parameter(projection.bias.detach().cpu())
    with pytest.raises(MixedDevicesError, match=r"^modules/heads\.py:\d+: aten\.addmm"):
        learner.learn(tmp_path / "c")


def test_an_item_in_the_loop(tiny_model, tmp_path, card, monkeypatch):
    summed_loss = update.summed_loss

    def curious(*args):
        loss = summed_loss(*args)
        assert loss.item() > 0
        return loss

    seen = {}
    for name, kind in {"today": summed_loss, "curious": curious}.items():
        monkeypatch.setattr(update, "summed_loss", kind)
        counted = []
        Learner(tiny_model, WAY).learn(
            tmp_path / name, after=lambda _, counted=counted: counted.append(card.counts.taken().waits)
        )
        seen[name] = counted[1]
    assert seen == {"today": 1, "curious": 2}
