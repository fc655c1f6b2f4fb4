import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.errors import UsageError
from lowres_stilts.text.windows import LONGEST_QUESTION, OUTSIDE, encode_contexts
from tests.tiny import WORDS, tiny_tokenizer

TOKENIZER = tiny_tokenizer()
TEXT = st.text(min_size=1, max_size=60) | st.lists(
    st.sampled_from([*WORDS.split(), "zebra", " ", "\n", "नमस्ते", "猫は", "e\u0301", "👩‍👩‍👧", "\u200d", "\x07"]),
    min_size=1, max_size=30,
).map(" ".join)  # fmt: skip
PAIRS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=3)


def offsets_of(tokenizer, text):
    """Where the tokens of a text stand when nothing is cut."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return set(tokenizer.encode(text, add_special_tokens=False).offsets)


def check_windows(tokenizer, pairs, max_length, stride):
    windows_of = encode_contexts(tokenizer, pairs, max_length, stride)
    assert len(windows_of) == len(pairs)
    for (_, context), windows in zip(pairs, windows_of, strict=True):
        covered = set()
        for window in windows:
            assert len(window.ids) == len(window.offsets) <= max_length
            assert window.offsets[0] == window.offsets[-1] == OUTSIDE
            inside = [pair for pair in window.offsets if pair != OUTSIDE]
            assert all(0 <= start <= end <= len(context) for start, end in inside)
            covered.update(inside)
        assert covered == offsets_of(tokenizer, context)
    return windows_of


@given(pairs=PAIRS, max_length=st.integers(8, 40), stride=st.integers(0, 200))
def test_windows_together_hold_the_whole_context(pairs, max_length, stride):
    check_windows(TOKENIZER, pairs, max_length, stride)


@given(pairs=PAIRS, max_length=st.integers(8, 40), stride=st.integers(0, 200))
def test_every_character_that_is_no_space_is_in_a_window(pairs, max_length, stride):
    for (_, context), windows in zip(pairs, encode_contexts(TOKENIZER, pairs, max_length, stride), strict=True):
        covered = {place for window in windows for start, end in window.offsets for place in range(start, end)}
        assert {place for place, char in enumerate(context) if not char.isspace()} <= covered


@given(question=TEXT, context=TEXT, max_length=st.integers(8, 40))
def test_every_window_begins_with_the_same_question(question, context, max_length):
    (windows,) = encode_contexts(TOKENIZER, [(question, context)], max_length, 2)
    before = [[i for i, p in zip(w.ids, w.offsets, strict=True) if p == OUTSIDE] for w in windows]
    assert all(ids == before[0] for ids in before)
    special = TOKENIZER.num_special_tokens_to_add(True)
    assert len(before[0]) - special <= max(1, (max_length - special) // 2)


def test_a_long_question_is_cut_and_a_short_one_is_whole():
    (windows,) = encode_contexts(TOKENIZER, [("the cat " * 100, "sat")], 384, 128)
    assert len(windows[0].ids) == 4 + LONGEST_QUESTION + 1
    (windows,) = encode_contexts(TOKENIZER, [("the cat", "sat ran")], 384, 128)
    assert windows[0].ids == TOKENIZER.encode("the cat", "sat ran").ids


def test_neighbouring_windows_share_the_stride():
    context = " ".join(WORDS.split() * 3)
    (windows,) = encode_contexts(TOKENIZER, [("the cat", context)], 26, 5)
    inside = [[pair for pair in window.offsets if pair != OUTSIDE] for window in windows]
    assert len(inside) > 2
    for first, second in itertools.pairwise(inside):
        assert first[-5:] == second[:5]


def test_a_length_without_room_for_a_context_is_refused():
    with pytest.raises(UsageError, match="max_length: 7 tokens leave no room"):
        encode_contexts(TOKENIZER, [("the", "cat")], 7, 1)


@pytest.mark.slow
@given(pairs=PAIRS, max_length=st.integers(8, 40))
def test_the_starters_windows_hold_the_whole_context_too(pairs, max_length):
    check_windows(starter_tokenizer(), pairs, max_length, 4)


def starter_tokenizer():
    from tokenizers import Tokenizer

    from lowres_stilts.encoder.starter import starter_model_dir

    return Tokenizer.from_file(str(starter_model_dir() / "tokenizer.json"))
