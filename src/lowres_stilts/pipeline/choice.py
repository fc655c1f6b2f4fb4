"""What the planner decides for a phase."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """How a phase computes its batches."""

    section: str
    """Of the recipe."""
    tokens_per_batch: int
    """As in the recipe."""
    tokens_at_once: int
    """Of each part of a batch."""
    gradient_checkpointing: bool | int
    length: int
    """Tokens of the longest sequence."""
    peak_bytes: int
    """Most memory in use."""
    weight_bytes: int
    """The encoder's share of it."""
    work_bytes: int
    """The share of tensors that come and go."""
    flops: int
    """Of a whole batch."""
    trainable: int
    """Parameters that learn, heads included."""
    fits: bool

    @property
    def parts(self) -> int:
        """Forward and backward passes for a batch."""
        return math.ceil(self.tokens_per_batch / self.tokens_at_once)
