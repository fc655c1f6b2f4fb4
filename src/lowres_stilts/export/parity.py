"""The gate before a bundle is written: its graphs against torch, on real sentences of many languages."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lowres_stilts.encoder.load import Encoder
from lowres_stilts.errors import ExportError
from lowres_stilts.export.products import Floats
from lowres_stilts.export.sources import Item
from lowres_stilts.hub.load import Loaded
from lowres_stilts.pipeline.dev import longest
from lowres_stilts.runtime.adapters import Adapter
from lowres_stilts.runtime.batches import padded
from lowres_stilts.runtime.families import FAMILIES
from lowres_stilts.runtime.network import Network, Row
from lowres_stilts.text.encode import encode_texts

LARGEST_DIFFERENCE = 1e-4
"""Of float32 hidden states and scores."""
ALONE = 5
"""How many sentences are tried in a batch of their own."""
TOKENS = 4096
LONGEST = 256
"""Tokens of the longest sequence that is tried."""


@dataclass(frozen=True)
class Sample:
    """Sequences of real text, short and long, with the states that torch has for them."""

    batches: list[list[list[int]]]
    states: list[Floats]
    """Of each batch, `[sequences, length, hidden]`."""


def sentences() -> dict[str, str]:
    """A sentence by language: article 1 of the Universal Declaration of Human Rights."""
    text = files("lowres_stilts.export").joinpath("sentences.json").read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text)
    return found


def sample(encoder: Encoder) -> Sample:
    """The sentences of all languages in batches of several shapes, through the bare float32 encoder."""
    texts = list(sentences().values())
    texts.append(" ".join(texts))
    ids = encode_texts(encoder.tokenizer, [(text, None) for text in texts], longest(LONGEST, encoder))
    alone = [[ids[number]] for number in range(0, len(ids), len(ids) // ALONE)]
    batches = [ids[:-1], ids[-3:], *alone]
    return Sample(batches, [_torch_states(encoder, batch) for batch in batches])


def largest_state_difference(network: Network, expected: Sample) -> float:
    """Between the graph's hidden states and torch's, at tokens that are no padding."""
    own = [
        network.states([Row(ids, None, "sequence") for ids in batch])[_real(batch)] for batch in expected.batches
    ]
    theirs = [states[_real(batch)] for batch, states in zip(expected.batches, expected.states, strict=True)]
    return largest(own, theirs)


def least_cosine(network: Network, expected: Sample) -> float:
    """The least cosine between a token's hidden state in the graph and in torch."""
    cosines = []
    for batch, states in zip(expected.batches, expected.states, strict=True):
        own = network.states([Row(ids, None, "sequence") for ids in batch])[_real(batch)]
        theirs = states[_real(batch)]
        lengths = np.linalg.norm(own, axis=-1) * np.linalg.norm(theirs, axis=-1)
        cosines.append(((own * theirs).sum(axis=-1) / lengths).min())
    return float(np.min(cosines))


def score_differences(
    network: Network, adapters: dict[str, Adapter], expected: dict[str, list[Floats]], inputs: Sample
) -> dict[str, float]:
    """By adapter: the largest difference from torch's scores, alone in a batch and mixed with the others and none.

    Args:
        network: the base's graphs.
        adapters: by name.
        expected: torch's scores of each sequence, by adapter.
        inputs: the sequences.
    """
    ids = [row for batch in inputs.batches for row in batch]
    found = {}
    for name, adapter in adapters.items():
        alone = network.scores([_row(row, adapter) for row in ids], TOKENS)
        found[name] = largest(alone, expected[name])
    if adapters:
        found["mixed"] = _mixed(ids, adapters, expected, network)
    return found


def torch_scores(item: Item, loaded: Loaded, inputs: Sample) -> list[Floats]:
    """Scores by torch of each sequence with an adapter, `[labels]` or `[length, labels]`."""
    found = []
    loaded.network.eval()
    with torch.inference_mode():
        for batch in inputs.batches:
            ids, mask = (torch.from_numpy(array) for array in padded(batch, loaded.encoder.pad_id))
            scores = loaded.network(item.task.name, ids, mask).float().numpy()
            per_token = scores.ndim == 3
            found += [row[: len(ids)] if per_token else row for row, ids in zip(scores, batch, strict=True)]
    return found


def largest(found: Sequence[Floats], expected: Sequence[Floats]) -> float:
    """The largest difference; no number where one of them is none."""
    return float(np.max([np.abs(own - theirs).max() for own, theirs in zip(found, expected, strict=True)]))


def require(name: str, difference: float) -> float:
    """The difference, where it is small enough.

    Raises:
        ExportError: it is not.
    """
    if not difference <= LARGEST_DIFFERENCE:
        raise ExportError(
            f"{name} differs from torch by {difference:.2g}, over {LARGEST_DIFFERENCE:g}: nothing was written; "
            "please report the model and the package"
        )
    return difference


def _mixed(
    ids: Sequence[list[int]], adapters: dict[str, Adapter], expected: dict[str, list[Floats]], network: Network
) -> float:
    """The largest difference when the sequences have the adapters, or none, in turn."""
    names = [*adapters, None]
    chosen = [names[number % len(names)] for number in range(len(ids))]
    rows = [
        Row(row, None, "sequence") if name is None else _row(row, adapters[name])
        for row, name in zip(ids, chosen, strict=True)
    ]
    scores = network.scores(rows, TOKENS)
    asked = [(number, name) for number, name in enumerate(chosen) if name is not None]
    return largest([scores[number] for number, _ in asked], [expected[name][number] for number, name in asked])


def _row(ids: list[int], adapter: Adapter) -> Row:
    return Row(ids, adapter, FAMILIES[adapter.part.family].head)


def _torch_states(encoder: Encoder, batch: list[list[int]]) -> Floats:
    with torch.inference_mode():
        ids, mask = (torch.from_numpy(array) for array in padded(batch, encoder.pad_id))
        states: Any = encoder.model(input_ids=ids, attention_mask=mask).last_hidden_state
        found: Floats = states.float().numpy()
    return found


def _real(batch: list[list[int]]) -> NDArray[np.bool_]:
    _, mask = padded(batch, 0)
    return mask.astype(bool)
