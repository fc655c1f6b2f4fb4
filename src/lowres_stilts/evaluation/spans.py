"""F1 over tagged spans, as seqeval finds them."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from lowres_stilts.evaluation.metric import Floats, Metric, f1, precision, recall
from lowres_stilts.extras import naming_extras


def _span_table(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], language: str) -> Floats:
    """Right, found and true spans of each sentence, as seqeval finds them, which is what XTREME's script does.

    It looks at all sentences in a row. For bare tags that matters: an X at the start of a sentence takes the
    start of the span before it.
    """
    get_entities = _seqeval()
    lengths = [len(right) for right, _ in zip(gold, predicted, strict=True)]
    ends = np.cumsum([length + 1 for length in lengths]) - 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "NOUN seems not to be NE tag": XTREME scores POS this way.
        true, found = (set(get_entities([list(tags) for tags in side])) for side in (gold, predicted))
    counts = [
        np.bincount(np.searchsorted(ends, [end for _, _, end in spans]), minlength=len(lengths))
        for spans in (true & found, found, true)
    ]
    return np.stack(counts, axis=1).astype(np.float64)


def _seqeval() -> Any:
    """Its span finder; only tagging needs it."""
    with naming_extras():
        from seqeval.metrics.sequence_labeling import get_entities  # noqa: PLC0415
    return get_entities


SPAN_F1 = Metric("span_f1", _span_table, f1, parts={"precision": precision, "recall": recall})
"""Micro-averaged F1 over spans, the CoNLL definition. Gold and predicted: the tags of each sentence."""
