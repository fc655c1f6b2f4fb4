"""Masked language modelling: which tokens to hide, and behind what."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lowres_stilts.errors import UsageError

SHARE = 0.15
MASKED, RANDOM = 0.8, 0.1
"""Of the chosen tokens; the rest stays as it is (Devlin et al. 2019, section 3.1)."""


@dataclass(frozen=True)
class Masking:
    """The ids that masking needs."""

    mask_id: int
    ordinary: NDArray[np.int32]
    """Ids that may be hidden and may stand in for others: all but special tokens."""

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "Masking":
        """From a tokenizer with `<mask>` or `[MASK]`.

        Raises:
            UsageError: it has no mask token.
        """
        found = [tokenizer.token_to_id(token) for token in ("<mask>", "[MASK]")]
        mask_id = next((index for index in found if index is not None), None)
        if mask_id is None:
            raise UsageError("the tokenizer has no <mask> token, so task mlm cannot be trained with this encoder")
        special = {index for index, token in tokenizer.get_added_tokens_decoder().items() if token.special}
        ordinary = np.setdiff1d(np.arange(tokenizer.get_vocab_size()), [*special, mask_id])
        return cls(mask_id, ordinary.astype(np.int32))

    def hide(
        self, ids: NDArray[np.int32], rng: np.random.Generator
    ) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Ids `[length]` with some hidden, and which; at least one where any token is ordinary."""
        places = np.flatnonzero(np.isin(ids, self.ordinary))
        count = min(len(places), max(1, round(SHARE * len(places))))
        chosen = rng.choice(places, count, replace=False) if count else places
        dice = rng.random(count)
        hidden = ids.copy()
        hidden[chosen[dice < MASKED]] = self.mask_id
        swapped = chosen[(dice >= MASKED) & (dice < MASKED + RANDOM)]
        hidden[swapped] = rng.choice(self.ordinary, len(swapped))
        flags = np.zeros(len(ids), np.bool_)
        flags[chosen] = True
        return hidden, flags
