"""The encoder with its active modules and the heads over it."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from lowres_stilts.encoder.checkpoint import pretrained_lm_head
from lowres_stilts.encoder.load import Encoder
from lowres_stilts.modules.heads import HeadLayout, SequenceHead, TokenHead
from lowres_stilts.modules.vocabulary import Invert, VocabularyHead
from lowres_stilts.tasks.families import HeadKind

Head = SequenceHead | TokenHead | VocabularyHead


class Network(nn.Module):
    """From token ids to scores, by the head of a task."""

    def __init__(self, encoder: nn.Module, heads: Mapping[str, Head]) -> None:
        super().__init__()
        self.encoder = encoder
        # Task names may have a dot or a plus; names of submodules may not.
        self._numbers = {task: str(number) for number, task in enumerate(heads)}
        self._heads = nn.ModuleDict({self._numbers[task]: head for task, head in heads.items()})

    def head(self, task: str) -> nn.Module:
        """The head of a task."""
        return self._heads[self._numbers[task]]

    def head_weights(self) -> dict[str, nn.Parameter]:
        """The parameters of all heads by `task.name`."""
        return {
            f"{task}.{name}": parameter
            for task in self._numbers
            for name, parameter in self.head(task).named_parameters()
        }

    def forward(self, task: str, ids: Tensor, mask: Tensor, states: Tensor | None = None) -> Tensor:
        """Scores of token ids `[batch, length]` under an attention mask of the same shape.

        Args:
            task: whose head.
            ids: token ids.
            mask: 1 where there is a token.
            states: the encoder's hidden states, where they are known already.
        """
        scores: Tensor = self.head(task)(self.states(ids, mask) if states is None else states, mask)
        return scores

    def states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Hidden states `[batch, length, hidden]` of the last layer."""
        # In two dimensions, transformers would ask the device whether it masks anything, and wait.
        states: Tensor = self.encoder(input_ids=ids, attention_mask=mask[:, None]).last_hidden_state
        return states

    def vocabulary_head(self, task: str) -> VocabularyHead:
        """The head of a task with hidden tokens."""
        head = self.head(task)
        if not isinstance(head, VocabularyHead):
            raise TypeError(f"the head of {task} does not score the vocabulary")
        return head


def make_head(
    encoder: Encoder, kind: HeadKind, outputs: int, *, layout: HeadLayout, invert: Invert | None = None
) -> Head:
    """A new head on the encoder's device, initialized as transformers does: normal, 0.02.

    Args:
        encoder: what it is for.
        kind: of the task's family.
        outputs: how many scores.
        layout: of a head for whole sequences.
        invert: undoes the coupling of a language adapter before the projection to the vocabulary.
    """
    hidden = encoder.hidden_size
    head: Head
    if kind == "vocabulary":
        return _vocabulary_head(encoder, invert).to(encoder.device)
    head = TokenHead(hidden, outputs) if kind == "token" else SequenceHead(hidden, outputs, layout)
    return head.apply(_initialize).to(encoder.device)


def _vocabulary_head(encoder: Encoder, invert: Invert | None) -> VocabularyHead:
    """The checkpoint's own head where it has one."""
    eps = float(encoder.model.config.layer_norm_eps)
    pieces = int(encoder.model.config.vocab_size)
    head = VocabularyHead(encoder.hidden_size, pieces, encoder.model.get_input_embeddings(), eps, invert)
    weights = pretrained_lm_head(encoder.path, encoder.revision)
    if weights is None:
        return head.apply(_initialize)
    head.load_state_dict(weights)
    return head


def _initialize(module: Any) -> None:
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
