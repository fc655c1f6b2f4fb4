import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.errors import LowresStiltsError
from lowres_stilts.text.encode import encode_texts, encode_words
from lowres_stilts.text.literal import read_literally
from tests.tiny import WORDS, tiny_tokenizer

TOKENIZER = tiny_tokenizer()
read_literally(TOKENIZER)
START, PAD, END, UNKNOWN = range(4)

LETTERS = st.sampled_from("abcxyz09.,▁ñß\u0301\u200bไทย漢😀\x07\xa0 <s>/")
NAMES = st.sampled_from(["<s>", "</s>", "<pad>", "<unk>", "<mask>", "<s>the", "cat</s>"])
WORD = st.sampled_from(WORDS.split()) | st.text(LETTERS, min_size=1, max_size=12) | NAMES
TEXT = st.lists(WORD, max_size=12).map(" ".join)


def pieces(text):
    TOKENIZER.no_truncation()
    return TOKENIZER.encode(text, add_special_tokens=False).ids


def word_pieces(word):
    TOKENIZER.no_truncation()
    return TOKENIZER.encode([word], is_pretokenized=True, add_special_tokens=False).ids


def words_of(window):
    bounds = [*window.first_pieces, len(window.ids) - 1]
    return [window.ids[start:end] for start, end in itertools.pairwise(bounds)]


@given(sentences=st.lists(st.lists(WORD, max_size=15), max_size=4), max_length=st.integers(3, 24))
def test_every_word_is_in_exactly_one_window(sentences, max_length):
    encoded = encode_words(TOKENIZER, sentences, max_length)
    assert len(encoded) == len(sentences)
    for sentence, windows in zip(sentences, encoded, strict=True):
        found = [word for window in windows for word in words_of(window)]
        room = max_length - 2
        assert found == [(word_pieces(word) or [UNKNOWN])[:room] for word in sentence]


@given(sentence=st.lists(WORD, max_size=30), max_length=st.integers(3, 24))
def test_windows_fit_and_have_the_special_tokens(sentence, max_length):
    (windows,) = encode_words(TOKENIZER, [sentence], max_length)
    for window in windows:
        assert len(window.ids) <= max_length
        assert (window.ids[0], window.ids[-1]) == (START, END)
        assert window.first_pieces == sorted(set(window.first_pieces))
        assert all(0 < place < len(window.ids) - 1 for place in window.first_pieces)


def test_windows_are_as_few_as_words_in_order_allow():
    sentence = ["cat"] * 10
    (windows,) = encode_words(TOKENIZER, [sentence], 6)
    assert [len(window.first_pieces) for window in windows] == [4, 4, 2]
    assert len(encode_words(TOKENIZER, [sentence], 12)[0]) == 1


@given(first=TEXT, second=TEXT, max_length=st.integers(5, 30))
def test_pairs_fit_and_the_longer_text_is_cut_first(first, second, max_length):
    (ids,) = encode_texts(TOKENIZER, [(first, second)], max_length)
    whole = len(pieces(first)), len(pieces(second))
    middle = ids.index(END)
    kept = middle - 1, len(ids) - middle - 3
    assert ids == [START, *pieces(first)[: kept[0]], END, END, *pieces(second)[: kept[1]], END]
    assert len(ids) == min(sum(whole) + 4, max_length)
    shorter, longer = sorted((0, 1), key=lambda side: whole[side])
    assert kept[shorter] == whole[shorter] or abs(kept[longer] - kept[shorter]) <= 1


@given(text=TEXT, max_length=st.integers(3, 30))
def test_texts_keep_their_beginning(text, max_length):
    (ids,) = encode_texts(TOKENIZER, [(text, None)], max_length)
    assert ids == [START, *pieces(text)[: max_length - 2], END]


def test_texts_and_pairs_keep_their_order():
    texts = [("the cat", None), ("a dog sat", "good"), ("", None), ("sun", "")]
    alone = [encode_texts(TOKENIZER, [text], 16)[0] for text in texts]
    assert encode_texts(TOKENIZER, texts, 16) == alone
    assert encode_texts(TOKENIZER, [], 16) == []


def test_a_tokenizer_that_pads_and_truncates_gives_the_same():
    tokenizer = tiny_tokenizer()
    tokenizer.enable_padding(length=40, pad_id=PAD, pad_token="<pad>")
    tokenizer.enable_truncation(3)
    words = [["the", "quiet", "sea"], ["zebra"]]
    assert encode_words(tokenizer, words, 20) == encode_words(tiny_tokenizer(), words, 20)
    tokenizer.enable_padding(length=40, pad_id=PAD, pad_token="<pad>")
    tokenizer.enable_truncation(3)
    texts = [("the quiet sea", None), ("zebra", "cat")]
    assert encode_texts(tokenizer, texts, 20) == encode_texts(tiny_tokenizer(), texts, 20)


@pytest.mark.parametrize("max_length", [1, 2, 3])
def test_a_length_without_room_for_a_token_is_refused_or_kept(max_length):
    pair = [("the cat sat", "the dog")]
    try:
        assert all(len(ids) <= max_length for ids in encode_texts(TOKENIZER, pair, max_length))
        (windows,) = encode_words(TOKENIZER, [["the", "zebra"]], max_length)
    except LowresStiltsError:
        return
    assert [len(words) for window in windows for words in words_of(window)] == [1, 1]
