"""What the CPU learns, once for each way of training."""

from collections.abc import Callable

import pytest
from bitsandbytes.autograd import _functions

from tests.device.disguise import Card
from tests.device.learning import Learned, Learner, Way


@pytest.fixture
def card():
    """A card that is on during the test."""
    with Card() as card:
        yield card


@pytest.fixture
def on_cpu(tiny_model, tmp_path, monkeypatch) -> Callable[[Way], Learned]:
    """Trains on the CPU."""
    # On a CPU, bitsandbytes trains over int8 weights in floating point; here it does what it does on a GPU.
    monkeypatch.setattr(_functions, "MatMul8bitFp", _functions.MatMul8bitLt)
    return lambda way: Learner(tiny_model, way, "cpu").learn(tmp_path / "cpu")


@pytest.fixture
def on_card(tiny_model, tmp_path) -> Callable[[Way], Learned]:
    """Trains on the card that is on."""
    return lambda way: Learner(tiny_model, way, "cuda").learn(tmp_path / "card")
