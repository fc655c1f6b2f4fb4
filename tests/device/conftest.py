"""What the CPU learns, once for each way of training."""

from collections.abc import Callable

import pytest

from tests.device.disguise import Card
from tests.device.learning import Learned, Learner, Way


@pytest.fixture
def card():
    """A card that is on during the test."""
    with Card() as card:
        yield card


@pytest.fixture
def on_cpu(tiny_model, tmp_path) -> Callable[[Way], Learned]:
    """Trains on the CPU."""
    return lambda way: Learner(tiny_model, way, "cpu").learn(tmp_path / "cpu")


@pytest.fixture
def on_card(tiny_model, tmp_path) -> Callable[[Way], Learned]:
    """Trains on the card that is on."""
    return lambda way: Learner(tiny_model, way, "cuda").learn(tmp_path / "card")
