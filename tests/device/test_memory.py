"""A card that is too small, at every moment of an update: what is learned is the same in the end."""

import re

import pytest
import torch

from lowres_stilts.training.optimizer import MasterAdamW
from tests.device.disguise import Card
from tests.device.learning import INT8, NF4, Learner, Way
from tests.device.test_training import check_same

BATCH = {"tokens_per_batch": 400, "epochs": 3}
LINES = {
    "forward": r"(encoder|modules)/",
    "backward": r"training/update\.py",
    "optimizer": r"training/optimizer\.py",
}
"""Where the line lies that asks for too much, by the moment when memory is full."""


def learned(model, folder, way, moment=None):
    """What is learned by a card that is full from this moment of the first update on, and the card."""
    with Card() as card:
        learner = Learner(model, way).without_dropout()

        def full(*_):
            if not card.memory.refused:
                card.memory.size = card.memory.alive

        def watch(_module, _inputs, output):
            if output.last_hidden_state.requires_grad:
                output.last_hidden_state.register_hook(full)

        if moment == "forward":
            learner.encoder.model.encoder.layer[1].register_forward_pre_hook(full)
        if moment == "backward":
            learner.network.encoder.register_forward_hook(watch)
        return learner.learn(folder, **BATCH), card


@pytest.mark.parametrize("way", [Way("classification", NF4), Way("tagging", INT8)], ids=lambda way: way.family)
@pytest.mark.parametrize("moment", ["forward", "backward"])
def test_a_pass_that_does_not_fit_is_made_in_parts(tiny_model, tmp_path, way, moment):
    whole, _ = learned(tiny_model, tmp_path / "whole", way)
    parted, card = learned(tiny_model, tmp_path / "parts", way, moment)
    assert re.match(LINES[moment], card.memory.refused[0])
    assert parted.parts[0] is not None
    assert card.counts.caches_emptied == len(card.memory.refused)
    check_same(whole, parted, apart=5e-5)


def test_an_optimizer_without_memory_leaves_weights_as_they_were(tiny_model, tmp_path, monkeypatch):
    way = Way("classification", NF4)
    whole, _ = learned(tiny_model, tmp_path / "whole", way)
    step = MasterAdamW.step
    with Card() as card:
        learner = Learner(tiny_model, way).without_dropout()
        before = learner.weights()

        def full(*args):
            card.memory.size = card.memory.alive
            return step(*args)

        monkeypatch.setattr(MasterAdamW, "step", full)
        with pytest.raises(torch.OutOfMemoryError):
            learner.learn(tmp_path / "again", **BATCH)
        assert re.match(LINES["optimizer"], card.memory.refused[0])
        assert all(torch.equal(weight, before[name]) for name, weight in learner.weights().items())
        monkeypatch.undo()
        card.memory.size = card.model.memory
        check_same(whole, learner.learn(tmp_path / "again", **BATCH), apart=5e-5)


def test_memory_that_runs_out_later_is_found_out_then(tiny_model, tmp_path):
    way = Way("classification", NF4)
    whole, _ = learned(tiny_model, tmp_path / "whole", way)
    with Card() as card:
        learner = Learner(tiny_model, way).without_dropout()

        def after(now):
            if now.update == 2:
                card.memory.size = round(0.8 * card.memory.peak)

        parted = learner.learn(tmp_path / "parts", after=after, **BATCH)
    assert parted.parts[:2] == [None, None]
    assert parted.parts[-1] is not None
    check_same(whole, parted, apart=5e-5)


def test_no_memory_for_one_example_is_said(tiny_model, tmp_path):
    with Card() as card:
        learner = Learner(tiny_model, Way("classification", NF4))
        card.memory.size = card.memory.alive + 60_000
        with pytest.raises(torch.OutOfMemoryError, match="memory does not even hold one example"):
            learner.learn(tmp_path / "c", **BATCH)


def test_predictions_that_do_not_fit_are_made_in_halves(tiny_model, tmp_path):
    way = Way("qa", NF4)
    with Card() as card:
        learner = Learner(tiny_model, way)
        held = card.memory.alive
        torch.cuda.reset_peak_memory_stats()
        whole = learner.answers()
        card.memory.size = held + round(0.6 * (card.memory.peak - held))
        halves = learner.answers()
    assert card.memory.refused
    for one, other in zip(map(torch.tensor, whole), map(torch.tensor, halves), strict=True):
        length = min(one.shape[1], other.shape[1])  # with more or less padding
        torch.testing.assert_close(one[:, :length], other[:, :length])
