"""What modules are called inside of PEFT, and where they may be."""

from collections.abc import Sequence
from typing import Any

from lowres_stilts.errors import TrainingError


def peft_name(module: str) -> str:
    """The name of a module with a prefix that no layer has.

    PEFT tells modules apart by looking for their names anywhere in the names of weights, and leaves a layer that
    is called like one of them out of the others' files; XLM-R has layers called "intermediate".
    """
    return f"stilts_{module}"


def check_layers(layers: Sequence[int], encoder: Any) -> None:
    """Whether an encoder of this configuration has these layers.

    Raises:
        TrainingError: it has not.
    """
    count = int(encoder.num_hidden_layers)
    if missing := [layer for layer in layers if layer >= count]:
        raise TrainingError(f"module.layers: there is no layer {missing[0]}; the encoder has 0 to {count - 1}")
