"""Search among unit vectors, and the mining of translations."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Similarity = Literal["cosine", "margin"]
Vectors = NDArray[np.float32]
Pair = tuple[int, int]
"""Positions of a query and a candidate."""


def neighbours(queries: Vectors, candidates: Vectors, count: int) -> tuple[Vectors, NDArray[np.int64]]:
    """Cosines and positions of the most similar candidates, best first, each `[queries, count]`.

    Args:
        queries: unit vectors `[queries, hidden]`.
        candidates: unit vectors `[candidates, hidden]`.
        count: how many; as many as there are at most.
    """
    import faiss  # noqa: PLC0415 - only retrieval needs it

    index = faiss.IndexFlatIP(candidates.shape[1])
    index.add(np.ascontiguousarray(candidates))
    cosines, positions = index.search(np.ascontiguousarray(queries), min(count, len(candidates)))
    return cosines, positions


def rank(
    queries: Vectors,
    candidates: Vectors,
    count: int,
    *,
    similarity: Similarity = "cosine",
    neighbourhood: int = 4,
) -> NDArray[np.int64]:
    """Positions of the best candidates for each query, best first, `[queries, count]`.

    With `margin` the nearest `neighbourhood` candidates, or `count` if that is more, are put in the order of
    cosine over the mean cosine of both sides' neighbours (Artetxe and Schwenk 2019, arXiv:1811.01136, ratio).
    """
    cosines, positions = neighbours(queries, candidates, max(count, neighbourhood))
    if similarity == "cosine":
        return positions[:, :count]
    own = cosines[:, :neighbourhood].mean(axis=1)
    theirs = neighbours(candidates, queries, neighbourhood)[0].mean(axis=1)
    margins = cosines / ((own[:, None] + theirs[positions]) / 2)
    order = np.argsort(-margins, axis=1, kind="stable")
    return np.take_along_axis(positions, order, axis=1)[:, :count]


def mine(sources: Vectors, targets: Vectors, neighbourhood: int = 4) -> list[tuple[Pair, float]]:
    """Pairs of a source and a target and their margin, best first; none takes part in two.

    Both directions propose, as in XTREME's mining of BUCC (retrieval `max`, margin `ratio`).
    """
    forward, there = neighbours(sources, targets, neighbourhood)
    backward, back = neighbours(targets, sources, neighbourhood)
    source_mean, target_mean = forward.mean(axis=1), backward.mean(axis=1)
    ahead = forward / ((source_mean[:, None] + target_mean[there]) / 2)
    behind = backward / ((target_mean[:, None] + source_mean[back]) / 2)
    proposals = np.concatenate(
        [
            np.stack([np.arange(len(sources)), _best(there, ahead)], axis=1),
            np.stack([_best(back, behind), np.arange(len(targets))], axis=1),
        ]
    )
    scores = np.concatenate([ahead.max(axis=1), behind.max(axis=1)])
    seen_sources: set[int] = set()
    seen_targets: set[int] = set()
    pairs = []
    for proposal in np.argsort(-scores, kind="stable"):
        source, target = (int(place) for place in proposals[proposal])
        if source not in seen_sources and target not in seen_targets:
            seen_sources.add(source)
            seen_targets.add(target)
            pairs.append(((source, target), float(scores[proposal])))
    return pairs


def _best(positions: NDArray[np.int64], scores: Vectors) -> NDArray[np.int64]:
    best: NDArray[np.int64] = np.take_along_axis(positions, scores.argmax(axis=1)[:, None], axis=1)[:, 0]
    return best


def best_threshold(scored: Sequence[tuple[tuple[str, str], float]], gold: AbstractSet[tuple[str, str]]) -> float:
    """The score above which pairs are taken, so that F1 against the gold pairs is highest.

    As XTREME tunes it: half-way between the last pair taken and the first left out; 0 where nothing is right.
    """
    ordered = sorted(scored, key=lambda item: -item[1])
    right = 0
    best, threshold = 0.0, 0.0
    for taken, (pair, score) in enumerate(ordered, start=1):
        right += pair in gold
        f1 = 2 * right / (taken + len(gold))
        if f1 > best:
            following = ordered[taken][1] if taken < len(ordered) else score
            best, threshold = f1, (score + following) / 2
    return threshold


def only_once(texts: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Of texts by id: every text once, and the id of each, or nothing where several ids have it.

    XTREME's mining counts no sentence that occurs twice.
    """
    ids: dict[str, str] = {}
    for name, text in texts.items():
        ids[text] = "" if text in ids else name
    return list(ids), list(ids.values())
