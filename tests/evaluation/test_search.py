from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.evaluation.search import best_threshold, mine, neighbours, only_once, rank


@st.composite
def sides(draw):
    """Two sides of random unit vectors, the second near the first."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    # Positive, as encoders' vectors are near one another: means of cosines near 0 would blow up rounding.
    queries = np.abs(rng.normal(size=(draw(st.integers(1, 12)), 6)))
    noise = np.abs(rng.normal(size=(draw(st.integers(1, 12)), 6)))
    shared = min(len(queries), len(noise))
    noise[:shared] = queries[:shared] + 0.5 * noise[:shared]
    return tuple(
        (side / np.linalg.norm(side, axis=1, keepdims=True)).astype(np.float32) for side in (queries, noise)
    )


def margins(queries, candidates, count):
    """Cosine over the mean of the neighbours' mean cosines, for every pair, one by one."""
    cosine = [[float(np.dot(a, b)) for b in candidates] for a in queries]
    own = [fmean(sorted(row, reverse=True)[:count]) for row in cosine]
    theirs = [fmean(sorted(column, reverse=True)[:count]) for column in zip(*cosine, strict=True)]
    table = [
        [cosine[i][j] / ((own[i] + theirs[j]) / 2) for j in range(len(candidates))] for i in range(len(queries))
    ]
    return cosine, table


@given(both=sides(), count=st.integers(1, 20))
def test_neighbours_are_ordered_by_cosine(both, count):
    queries, candidates = both
    cosines, positions = neighbours(queries, candidates, count)
    exact = queries @ candidates.T
    assert positions.shape == (len(queries), min(count, len(candidates)))
    assert cosines == pytest.approx(-np.sort(-exact, axis=1)[:, :count], abs=1e-5)
    assert np.take_along_axis(exact, positions, axis=1) == pytest.approx(cosines, abs=1e-5)


@given(both=sides())
def test_the_best_by_cosine_is_numpys_argmax(both):
    queries, candidates = both
    assert rank(queries, candidates, 1)[:, 0].tolist() == (queries @ candidates.T).argmax(axis=1).tolist()


@given(both=sides(), neighbourhood=st.integers(1, 5), count=st.integers(1, 6))
def test_the_best_by_margin_are_those_of_a_plain_loop(both, neighbourhood, count):
    queries, candidates = both
    cosine, table = margins(queries, candidates, neighbourhood)
    found = rank(queries, candidates, count, similarity="margin", neighbourhood=neighbourhood)
    for i in range(len(queries)):
        near = sorted(range(len(candidates)), key=lambda j: -cosine[i][j])[: max(count, neighbourhood)]
        expected = sorted((table[i][j] for j in near), reverse=True)[:count]
        assert [table[i][j] for j in found[i]] == pytest.approx(expected, rel=1e-3, abs=1e-3)


# With one neighbour, all pairs that are mutually nearest have margin 1, and their order is free.
@given(both=sides(), neighbourhood=st.integers(2, 5))
def test_mined_pairs_are_those_of_a_plain_loop(both, neighbourhood):
    queries, candidates = both
    cosine, table = margins(queries, candidates, neighbourhood)
    rows, columns = range(len(queries)), range(len(candidates))
    proposed = set()
    for i in rows:
        near = sorted(columns, key=lambda j: -cosine[i][j])[:neighbourhood]
        proposed.add((i, max(near, key=lambda j: table[i][j])))
    for j in columns:
        near = sorted(rows, key=lambda i: -cosine[i][j])[:neighbourhood]
        proposed.add((max(near, key=lambda i: table[i][j]), j))
    expected = []
    for i, j in sorted(proposed, key=lambda pair: -table[pair[0]][pair[1]]):
        if all(i != a and j != b for a, b in expected):
            expected.append((i, j))
    found = mine(queries, candidates, neighbourhood)
    assert [pair for pair, _ in found] == expected
    assert [score for _, score in found] == pytest.approx([table[i][j] for i, j in expected], rel=1e-3, abs=1e-3)


def f1(scored, gold, threshold):
    taken = [pair for pair, score in scored if score >= threshold]
    return 2 * len(set(taken) & gold) / (len(taken) + len(gold)) if gold else 0.0


@given(
    scores=st.lists(st.integers(1, 1000), max_size=10, unique=True),
    right=st.lists(st.booleans(), min_size=10, max_size=10),
    missing=st.integers(0, 3),
)
def test_no_threshold_is_better_than_the_best_one(scores, right, missing):
    scored = [((f"s{n}", f"t{n}"), score / 1000) for n, score in enumerate(scores)]
    gold = {pair for (pair, _), is_right in zip(scored, right, strict=False) if is_right}
    gold |= {(f"x{n}", f"y{n}") for n in range(missing)}
    threshold = best_threshold(scored, gold)
    best = max((f1(scored, gold, cut / 1000) for cut in range(1002)), default=0)
    if best:
        assert f1(scored, gold, threshold) == pytest.approx(best)
    else:
        assert threshold == 0


def test_the_threshold_is_half_way_to_the_first_pair_left_out():
    scored = [(("a", "b"), 1.2), (("c", "d"), 1.1), (("e", "f"), 0.5)]
    assert best_threshold(scored, {("a", "b"), ("c", "d")}) == pytest.approx(0.8)
    assert best_threshold(scored, {("a", "b"), ("c", "d"), ("e", "f")}) == 0.5


@given(texts=st.dictionaries(st.text(min_size=1, max_size=3), st.sampled_from("abcdef"), max_size=8))
def test_a_text_that_several_ids_have_belongs_to_none(texts):
    found, ids = only_once(texts)
    assert sorted(found) == sorted(set(texts.values()))
    for text, name in zip(found, ids, strict=True):
        having = [key for key, value in texts.items() if value == text]
        assert name == (having[0] if len(having) == 1 else "")
