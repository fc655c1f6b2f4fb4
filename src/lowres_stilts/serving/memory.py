"""Bytes that a request may hold, charged before work for it begins."""

import re
from collections.abc import Sequence, Sized

SEQUENCE_BYTES = 16_384
"""Of a sequence: its ids, what waits for it, and its answer."""
TEXT_BYTES = 16
"""Of a byte of text that is cut to what the model sees: the body, its parts, and what is made of them."""
WINDOW_BYTES = 112
"""Of a byte of text that is read whole, in windows: 18 to 109 where texts of several scripts were tried."""
TOKEN_BYTES = 256
"""Of a byte of text of which the answer is the tokens: up to 176, and the JSON."""
ID_BYTES = 64
"""Of a token id of which the answer is the text."""
WHOLE_BYTES = 64
"""Of a byte of a text that cannot be cut, while it is tokenized; one text at a time."""
BY_KIND = {"tagging": WINDOW_BYTES, "qa": WINDOW_BYTES, "tokens": TOKEN_BYTES}
EXPANDING = re.compile("[\u3300-\u3357\ufdfa\ufdfb]")
"""Characters that become words by normalizing; no other one becomes more than four times its bytes."""
EXPANSION = 30
"""Bytes more, at most: U+FDFA has three, and then 33."""


def request_bytes(kind: str, texts: Sequence[Sized], sequences: int) -> int:
    """Bytes that a request holds at most, from its coming until it is answered.

    Args:
        kind: a family of tasks, `embeddings`, or `tokens`.
        texts: all that it brings; or lists of token ids.
        sequences: how many the network gets at least.
    """
    sizes = [_bytes_read(text) if isinstance(text, str) else 0 for text in texts]
    ids = sum(len(own) for own in texts if not isinstance(own, str))
    own = BY_KIND.get(kind, TEXT_BYTES) * sum(sizes) + WHOLE_BYTES * max(sizes, default=0)
    return own + ID_BYTES * ids + SEQUENCE_BYTES * sequences


def _bytes_read(text: str) -> int:
    """Bytes of a text in UTF-8, and those that normalizing adds where it adds many."""
    if text.isascii():
        return len(text)
    return len(text.encode(errors="replace")) + EXPANSION * len(EXPANDING.findall(text))
