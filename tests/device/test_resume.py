"""An interrupted phase goes on, on the card that it was on or elsewhere."""

import pytest
import torch

from tests.device.disguise import Card
from tests.device.learning import BOTTLENECK, LORA, NF4, Learner, Way
from tests.training.bench import Killed

WAYS = {
    "LoRA with dropout": Way("tagging", NF4, {**LORA, "dropout": 0.2}, {"checkpoint_every": 1}),
    "bottleneck": Way("classification", NF4, BOTTLENECK, {"checkpoint_every": 1}),
    "moments in 8 bits": Way(
        "classification", NF4, {**LORA, "rank": 64}, {"checkpoint_every": 1, "eight_bit": True}
    ),
}


def _killed(learner, checkpoint):
    def after(now):
        if now.update == 3:
            raise Killed

    # The checkpoint of the update before is there.
    with pytest.raises(Killed):
        learner.learn(checkpoint, after=after)


@pytest.mark.parametrize("name", WAYS)
def test_a_phase_resumes_with_the_same_weights(name, tiny_model, tmp_path):
    way = WAYS[name]
    with Card():
        whole = Learner(tiny_model, way).learn(tmp_path / "whole")
        _killed(Learner(tiny_model, way), tmp_path / "part")
    with Card() as card:
        resumed = Learner(tiny_model, way).learn(tmp_path / "part")
    assert len(resumed.losses) == len(whole.losses) - 2
    assert card.counts.launches
    for weight, expected in whole.weights.items():
        assert torch.equal(resumed.weights[weight], expected)


@pytest.mark.parametrize("first", ["cpu", "cuda"])
def test_a_phase_goes_on_elsewhere(first, tiny_model, tmp_path):
    way = Way("classification", NF4, LORA, {"checkpoint_every": 1})
    other = {"cpu": "cuda", "cuda": "cpu"}[first]
    with Card():
        whole = Learner(tiny_model, way, first).learn(tmp_path / "whole")
        _killed(Learner(tiny_model, way, first), tmp_path / "part")
        resumed = Learner(tiny_model, way, other).learn(tmp_path / "part")
    for weight, expected in whole.weights.items():
        torch.testing.assert_close(resumed.weights[weight], expected, atol=4e-4, rtol=1e-3)
