import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.serving.work import Corrections, Estimate, Speed, estimated_tokens

FULL = 1024


def test_tokens_are_expected_by_characters_and_script():
    assert estimated_tokens([("a" * 1000,)], None) == pytest.approx(302)
    assert estimated_tokens([("ж" * 1000,)], None) == pytest.approx(302)
    assert estimated_tokens([("मौसम" * 250,)], None) == pytest.approx(302)
    assert estimated_tokens([("天気" * 500,)], None) == pytest.approx(602)
    assert estimated_tokens([("날씨" * 500,)], None) == pytest.approx(602)
    assert estimated_tokens([("\U0001f600" * 1000,)], None) == pytest.approx(1002)
    assert estimated_tokens([("天a" * 500,)], None) == pytest.approx(452, rel=0.1)


def test_what_is_cut_off_is_no_work():
    pair = ("a" * 50_000, "b" * 50_000)
    assert estimated_tokens([pair, pair, ("a",)], 128) == pytest.approx(258.3)


@given(st.lists(st.lists(st.text(st.characters(), max_size=200), max_size=2), max_size=4))
def test_any_text_has_an_estimate(sequences):
    characters = sum(len(text) for texts in sequences for text in texts)
    assert 0.3 * characters <= estimated_tokens(sequences, None) <= 2 * len(sequences) + characters + 1


def test_estimates_are_corrected_by_kind():
    corrections = Corrections()
    expected = Estimate("qa", 500)
    assert corrections.tokens(expected) == 500
    for _ in range(20):
        corrections.learn(expected, 1000)
    assert 900 < corrections.tokens(expected) <= 1000
    assert corrections.tokens(Estimate("tagging", 500)) == 500


def test_pings_do_not_correct_what_long_texts_are():
    corrections = Corrections()
    for _ in range(60):
        corrections.learn(Estimate("embeddings", 2), 3)
    assert corrections.tokens(Estimate("embeddings", 1000)) < 1100


def test_pings_say_nothing_of_full_batches():
    speed = Speed(FULL, full_batch_seconds=0.2)
    for _ in range(1000):
        speed.learn(3, 0.01, 30)
    assert speed.seconds(FULL) == pytest.approx(0.2)


@given(st.floats(0, 10), st.lists(st.integers(1, FULL), min_size=200, max_size=200))
def test_batches_count_that_had_to_be_quick(first, batches):
    speed = Speed(FULL, first)
    for tokens in batches:
        speed.learn(tokens, 0.05 + 0.0002 * tokens, FULL)
    mean = sum(0.05 + 0.0002 * tokens for tokens in batches) / sum(batches)
    if sum(batches) > 50 * FULL:
        assert speed.seconds(FULL) == pytest.approx(mean * FULL, rel=0.3, abs=0.3 * first)


@given(
    st.lists(st.tuples(st.integers(0, 2 * FULL), st.floats(0, 100), st.integers(0, FULL)), max_size=50),
    st.integers(0, 10**6),
)
def test_times_are_never_negative_and_grow_with_the_work(history, tokens):
    speed = Speed(FULL)
    for batch in history:
        speed.learn(*batch)
    assert 0 <= speed.seconds(tokens) <= speed.seconds(tokens + 1)


def test_a_halt_of_the_machine_is_forgotten():
    speed = Speed(FULL, full_batch_seconds=0.2)
    speed.learn(FULL, 60, FULL)
    for _ in range(200):
        speed.learn(FULL, 0.2, FULL)
    assert speed.seconds(FULL) < 0.3
