import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from lowres_stilts.errors import UsageError
from lowres_stilts.text.masking import Masking
from tests.tiny import tiny_tokenizer

TOKENIZER = tiny_tokenizer()
MASKING = Masking.of(TOKENIZER)
SPECIAL = {TOKENIZER.token_to_id(token) for token in ("<s>", "<pad>", "</s>", "<unk>", "<mask>")}
IDS = st.lists(st.integers(0, TOKENIZER.get_vocab_size() - 1), max_size=60)


def hide(ids, seed=0):
    return MASKING.hide(np.array(ids, np.int32), np.random.default_rng(seed))


@given(ids=IDS, seed=st.integers(0, 9))
def test_only_ordinary_tokens_are_hidden_and_the_rest_stays(ids, seed):
    hidden, chosen = hide(ids, seed)
    original = np.array(ids, np.int32)
    assert not SPECIAL & set(original[chosen].tolist())
    assert (hidden[~chosen] == original[~chosen]).all()
    assert set(hidden[chosen].tolist()) & SPECIAL <= {MASKING.mask_id}
    assert (hidden.shape, hidden.dtype) == (original.shape, original.dtype)


@given(ids=IDS, seed=st.integers(0, 9))
def test_the_share_is_fifteen_percent_and_at_least_one(ids, seed):
    ordinary = sum(token not in SPECIAL for token in ids)
    expected = min(ordinary, max(1, round(0.15 * ordinary)))
    assert hide(ids, seed)[1].sum() == expected


@given(ids=IDS, seed=st.integers(0, 9))
def test_the_same_seed_hides_the_same(ids, seed):
    first, second = hide(ids, seed), hide(ids, seed)
    assert [array.tolist() for array in first] == [array.tolist() for array in second]


def test_eight_of_ten_are_masked_one_is_swapped_and_one_stays():
    original = np.resize(MASKING.ordinary, 40_000).astype(np.int32)
    hidden, chosen = hide(original)
    now, before = hidden[chosen], original[chosen]
    assert (now == MASKING.mask_id).mean() == pytest.approx(0.8, abs=0.02)
    assert ((now != MASKING.mask_id) & (now != before)).mean() == pytest.approx(0.1, abs=0.015)
    assert (now == before).mean() == pytest.approx(0.1, abs=0.015)


def test_the_original_is_left_as_it_is():
    original = np.array([0, *range(5, 30), 2], np.int32)
    before = original.copy()
    MASKING.hide(original, np.random.default_rng(0))
    assert (original == before).all()


@pytest.mark.parametrize("token", ["<mask>", "[MASK]"])
def test_the_mask_token_is_found_by_either_name(token):
    tokenizer = Tokenizer(models.WordLevel({"a": 0, "b": 1, token: 2}, unk_token="a"))
    masking = Masking.of(tokenizer)
    assert (masking.mask_id, masking.ordinary.tolist()) == (2, [0, 1])


def test_a_tokenizer_without_a_mask_token_is_refused():
    with pytest.raises(UsageError, match="has no <mask> token"):
        Masking.of(Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))
