"""The encoder with its active modules and one head over it."""

from typing import Any

from torch import Tensor, nn

from lowres_stilts.encoder.load import Encoder
from lowres_stilts.modules.heads import Head, HeadLayout, SequenceHead, TokenHead


class Network(nn.Module):
    """From token ids to scores."""

    def __init__(self, encoder: nn.Module, head: Head) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Scores of token ids `[batch, length]` under an attention mask of the same shape."""
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        scores: Tensor = self.head(states, mask)
        return scores


def make_head(encoder: Encoder, outputs: int, *, per_token: bool, layout: HeadLayout) -> Head:
    """A new head on the encoder's device, initialized as transformers does: normal, 0.02."""
    hidden = encoder.hidden_size
    head: Head = TokenHead(hidden, outputs) if per_token else SequenceHead(hidden, outputs, layout)
    return head.apply(_initialize).to(encoder.device)


def _initialize(module: Any) -> None:
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
