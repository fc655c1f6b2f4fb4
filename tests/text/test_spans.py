import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.text.spans import best_spans, token_span

CONTEXT = "  the cat\u2003sat  on a mat \n"
TOKENS = [(start, end) for start in range(0, len(CONTEXT), 3) for end in [min(start + 3, len(CONTEXT))]]
SCORE = st.floats(-5, 5, width=32)


def window(tokens, scores):
    """Behind one special token; offsets and scores of its tokens."""
    offsets = np.array([(-1, -1), *tokens, (-1, -1)], np.int32)
    return offsets, np.array(scores, np.float32)


@st.composite
def windows(draw):
    found = []
    for _ in range(draw(st.integers(1, 3))):
        first = draw(st.integers(0, len(TOKENS) - 1))
        last = draw(st.integers(first, len(TOKENS) - 1))
        tokens = TOKENS[first : last + 1]
        count = len(tokens) + 2
        scores = draw(st.lists(st.tuples(SCORE, SCORE), min_size=count, max_size=count))
        found.append(window(tokens, scores))
    return found


def every_span(found, longest):
    """The best score of each trimmed span, by going through them all."""
    scores_of = {}
    for offsets, scores in found:
        for first, last in itertools.product(range(1, len(offsets) - 1), repeat=2):
            if not first <= last < first + longest:
                continue
            text = CONTEXT[offsets[first][0] : offsets[last][1]]
            start = offsets[first][0] + len(text) - len(text.lstrip())
            end = start + len(text.strip())
            if start < end:
                score = float(scores[first, 0] + scores[last, 1])
                scores_of[start, end] = max(score, scores_of.get((start, end), -np.inf))
    return scores_of


@given(found=windows(), longest=st.integers(1, 6))
def test_the_best_spans_are_those_of_an_exhaustive_search(found, longest):
    spans, null = best_spans(CONTEXT, found, n_best=1000, longest=longest)
    assert {(span.start, span.end): span.score for span in spans} == every_span(found, longest)
    assert null == min(float(scores[0].sum()) for _, scores in found)


@given(found=windows(), n_best=st.integers(1, 8))
def test_they_are_few_ordered_trimmed_and_without_duplicates(found, n_best):
    spans, _ = best_spans(CONTEXT, found, n_best=n_best)
    assert len(spans) <= n_best
    assert [span.score for span in spans] == sorted((span.score for span in spans), reverse=True)
    assert len({(span.start, span.end) for span in spans}) == len(spans)
    for span in spans:
        text = CONTEXT[span.start : span.end]
        assert text
        assert text == text.strip()


@given(data=st.data())
def test_the_tokens_of_an_answer_are_the_fewest_that_hold_it(data):
    start = data.draw(st.integers(0, len(CONTEXT) - 1))
    end = data.draw(st.integers(start + 1, len(CONTEXT)))
    first, last = data.draw(st.integers(0, len(TOKENS) - 1)), data.draw(st.integers(0, len(TOKENS) - 1))
    tokens = TOKENS[min(first, last) : max(first, last) + 1]
    offsets = [(-1, -1), *tokens, (-1, -1)]
    found = token_span(offsets, start, end)
    if start < tokens[0][0] or end > tokens[-1][1]:
        assert found == (0, 0)
        return
    assert offsets[found[0]][0] <= start < offsets[found[0]][1]
    assert offsets[found[1]][0] < end <= offsets[found[1]][1]


@pytest.mark.parametrize("offsets", [[], [(-1, -1)], [(-1, -1), (3, 3), (-1, -1)]])
def test_a_window_without_context_has_no_answer(offsets):
    assert token_span(np.array(offsets, np.int32).reshape(-1, 2), 3, 4) == (0, 0)
    scores = np.ones((len(offsets), 2), np.float32)
    if offsets:
        assert best_spans(CONTEXT, [(np.array(offsets, np.int32), scores)])[0] == []
