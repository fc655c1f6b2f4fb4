"""How a phase is trained."""

from typing import Annotated, Literal

from pydantic import Field

from lowres_stilts.recipe.settings import Positive, Settings, Share


class TrainSettings(Settings):
    """How a phase is trained."""

    epochs: Positive = 3
    """Passes over the training examples."""
    lr: Annotated[float, Field(gt=0)] = 3e-4
    """Peak learning rate of the module."""
    lr_ratio: Annotated[float, Field(gt=0)] = 1.0
    """LoRA+: how many times as fast B learns as A (Hayou et al. 2024, arXiv:2402.12354, has 16)."""
    head_lr: Annotated[float, Field(gt=0)] | None = None
    """Peak learning rate of the head; the module's where it is not given."""
    tokens_per_batch: Positive = 4096
    """Most tokens of a batch, padding counted in."""
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
    """Updates between two looks at the English dev set; once an epoch where it is not given."""
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
