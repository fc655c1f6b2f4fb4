"""How a phase is trained."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from lowres_stilts.recipe.settings import Positive, Settings, Share


@dataclass(frozen=True)
class Pace:
    """How long and how fast to train, in numbers."""

    epochs: int
    lr: float
    head_lr: float
    tokens_per_batch: int


class TrainSettings(Settings):
    """How a phase is trained. What depends on the data is chosen by it where it is not given."""

    epochs: Positive | None = None
    """Passes over the training examples; chosen by their number where it is not given."""
    lr: Annotated[float, Field(gt=0)] | None = None
    """Peak learning rate of the module; chosen by the encoder's width where it is not given."""
    lr_ratio: Annotated[float, Field(gt=0)] = 1.0
    """LoRA+: how many times as fast B learns as A (Hayou et al. 2024, arXiv:2402.12354, has 16)."""
    head_lr: Annotated[float, Field(gt=0)] | None = None
    """Peak learning rate of the head; `lr` where that is given alone, and else chosen by the kind of head."""
    tokens_per_batch: Positive | None = None
    """Most tokens of a batch, padding counted in. Chosen by the number and the length of examples where it is not
    given."""
    accumulate: Positive = 1
    """Batches per update."""
    warmup: Share = 0.1
    """Share of the updates over which the rate rises; then it falls linearly to zero."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """AdamW's decay."""
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    """Largest norm of the gradient."""
    limit: Positive | None = None
    """Train on this many examples, drawn with the recipe's seed."""
    holdout: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Take this share of the training examples as the dev set, instead of the task's dev file."""
    dev_limit: Positive | None = None
    """Use the first n dev examples for early stopping."""
    max_length: Positive | None = None
    """Most tokens of one sequence; the task's own where it is not given."""
    evaluate_every: Positive | None = None
    """Updates between two looks at the English dev set; once an epoch where it is not given, and ten times in all
    where more epochs than ten were chosen."""
    patience: Positive | None = None
    """Stop after this many looks without a better score; the best module is kept in any case."""
    checkpoint_every: Positive = 50
    """Updates between two checkpoints."""
    gradient_checkpointing: bool | Positive = False
    """Compute activations twice to save memory: in all layers, or in this many from the top."""
    tokens_at_once: Positive | None = None
    """Most tokens in memory at once: a larger batch is computed in parts, with the same update. Chosen by the
    planner where it is not given; see `fit`."""
    fit: bool = True
    """Have the planner compute batches in parts, and turn checkpointing on, where memory would not do."""
    optimizer: Literal["adamw", "adamw8bit"] = "adamw"
    """`adamw8bit`: bitsandbytes' AdamW with moments in 8 bits (Dettmers et al. 2022, arXiv:2110.02861), paged on
    CUDA."""
    reuse_lower_layers: bool = True
    """Keep the hidden states of layers below all that learns on disk, and compute those layers in the first epoch
    only; where nothing in them is random and the disk has room."""

    @property
    def pace(self) -> Pace:
        """What is chosen by the data where it is not given.

        Raises:
            ValueError: it was not chosen yet.
        """
        if self.epochs is None or self.lr is None or self.tokens_per_batch is None:
            raise ValueError("epochs, lr and tokens_per_batch are not chosen yet")
        return Pace(self.epochs, self.lr, self.head_lr or self.lr, self.tokens_per_batch)
