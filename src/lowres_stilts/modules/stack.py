"""Named modules over the frozen encoder, whichever library they are of."""

from lowres_stilts.encoder.load import Encoder
from lowres_stilts.modules.bottleneck import AdapterStack
from lowres_stilts.modules.lora import ModuleStack

Stack = ModuleStack | AdapterStack


def make_stack(kind: str, encoder: Encoder) -> Stack:
    """An empty stack for modules of a kind, `lora` or `bottleneck`; it changes the encoder in place."""
    return ModuleStack(encoder) if kind == "lora" else AdapterStack(encoder)
