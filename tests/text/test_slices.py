"""Slices of texts against whole texts, and truncation against that of `tokenizers` itself."""

import sys
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from lowres_stilts.text.encode import encode_texts, encode_words, split_texts
from lowres_stilts.text.slices import (
    BOUNDARY,
    _in_slices,
    finish,
    ids_of,
    parts_at_spaces,
    read_whole,
    slices,
    tokens_of_each,
)
from lowres_stilts.text.windows import encode_contexts
from tests.text.test_literal import bare, bert, byte_pairs
from tests.tiny import WORDS, tiny_tokenizer


def xlmr():
    """The steps of the starter's tokenizer, with a normalizer of Unicode instead of SentencePiece's."""
    tokenizer = tiny_tokenizer()
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace("\u200d", " "),
            normalizers.Nmt(),
            normalizers.NFKC(),
            normalizers.Strip(left=False, right=True),
            normalizers.Replace(Regex(" {2,}"), "▁"),
        ]
    )
    return tokenizer


def mbert():
    tokenizer = bert()
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def roberta():
    """No boundary is known in it."""
    tokenizer = byte_pairs()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=True)
    return tokenizer


def starter():
    from lowres_stilts.encoder.starter import starter_model_dir

    return Tokenizer.from_file(str(starter_model_dir() / "tokenizer.json"))


MAKERS = {"xlm-r": xlmr, "bert": mbert, "roberta": roberta, "starter": starter}


@pytest.fixture(
    scope="module", params=["xlm-r", "bert", "roberta", pytest.param("starter", marks=pytest.mark.slow)]
)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def tokenizer(kind):
    made = MAKERS[kind]()
    read_whole(made)
    return made


@pytest.fixture(scope="module")
def other(kind):
    """One that cuts texts by itself."""
    made = MAKERS[kind]()
    read_whole(made)
    return made


UNUSUAL = [
    *("\ufdfa", "\ufdfb", "e\u0301", "\u0301", "ﬁ", "ͺ", "½", "İ", "\u0d4e", "\u0600", "\u0e33", "ภาษาไทย"),
    *(
        "我们今天去北京",
        "한국어",
        "\u1100\u1161",
        "👩\u200d👩\u200d👧",
        "🇩🇪",
        "\u200d",
        "\u200b",
        "\u00ad",
        "\x07",
        "\xa0",
    ),
    *("\u3000", "▁", "\t", "\n", "  ", "<s>", "</s>", "<mask>", "[CLS]", "[MASK]", "<", "don't", "x.y", "नमस्ते"),
    *("\U000111c2", "ｶﾞ", "\uff9e", ""),
]
WORD = st.sampled_from(WORDS.split()) | st.sampled_from(UNUSUAL) | st.text(max_size=4)
TEXT = st.lists(WORD, max_size=40).map(" ".join) | st.lists(WORD, max_size=20).map("".join)


def in_slices_of(characters):
    """Slices so short that a test has many."""
    return mock.patch.multiple("lowres_stilts.text.slices", SLICE=characters, STEP=2 * characters)


def cut_by_tokenizers(tokenizer, given, max_length, **settings):
    """An input's sequences, as `tokenizers` cuts them."""
    tokenizer.enable_truncation(max_length, **settings)
    encoding = tokenizer.encode(*given)
    return [encoding, *encoding.overflowing]


@given(texts=st.lists(TEXT, min_size=1, max_size=3), characters=st.integers(1, 20))
def test_slices_have_the_tokens_of_the_whole_text(tokenizer, texts, characters):
    whole = tokenizer.encode_batch(texts, add_special_tokens=False)
    with in_slices_of(characters):
        assert finish(ids_of(tokenizer, texts)) == [own.ids for own in whole]
        found = finish(tokens_of_each(tokenizer, texts))
    assert found == [(own.ids, own.offsets) for own in whole]


@given(first=TEXT, second=TEXT | st.none(), max_length=st.integers(6, 40), characters=st.integers(1, 20))
def test_texts_and_pairs_are_cut_as_tokenizers_cuts_them(tokenizer, other, first, second, max_length, characters):
    theirs, *_ = cut_by_tokenizers(other, (first, second), max_length, strategy="longest_first")
    with in_slices_of(characters):
        assert encode_texts(tokenizer, [(first, second)], max_length) == [theirs.ids]


@pytest.mark.parametrize(
    "lengths", [(30, 31), (31, 30), (30, 30), (9, 50), (50, 9), (10, 9), (4, 80), (80, 4), (0, 40)]
)
@pytest.mark.parametrize("max_length", range(6, 24))
def test_the_longer_text_of_a_pair_gets_the_odd_token(tokenizer, other, lengths, max_length):
    pair = tuple(" ".join(["cat"] * count) for count in lengths)
    theirs, *_ = cut_by_tokenizers(other, pair, max_length, strategy="longest_first")
    with in_slices_of(8):
        assert encode_texts(tokenizer, [pair], max_length) == [theirs.ids]


@given(text=TEXT, max_length=st.integers(4, 30), characters=st.integers(1, 20))
def test_texts_are_split_as_tokenizers_splits_them(tokenizer, other, text, max_length, characters):
    theirs = cut_by_tokenizers(other, (text,), max_length)
    with in_slices_of(characters):
        assert split_texts(tokenizer, [text], max_length) == [[part.ids for part in theirs]]


@given(
    question=WORD, context=TEXT, max_length=st.integers(60, 90), stride=st.integers(0, 9), size=st.integers(1, 20)
)
def test_windows_are_those_of_tokenizers(kind, tokenizer, other, question, context, max_length, stride, size):
    room = max_length - tokenizer.num_special_tokens_to_add(True)
    if len(tokenizer.encode(question, add_special_tokens=False).ids) > room // 2:
        return
    pair = (question, context)
    theirs = cut_by_tokenizers(other, pair, max_length, strategy="only_second", stride=stride)
    with in_slices_of(size):
        (windows,) = encode_contexts(tokenizer, [pair], max_length, stride)
    assert [window.ids for window in windows] == [part.ids for part in theirs]
    if kind == "roberta":
        return  # theirs leaves the space before the first token of a window to it, and to no other one
    assert [[place for place in window.offsets if place[0] >= 0] for window in windows] == [
        [place for place, owner in zip(part.offsets, part.sequence_ids, strict=True) if owner == 1]
        for part in theirs
    ]


@given(sentence=st.lists(WORD, min_size=1, max_size=40), characters=st.integers(1, 30))
def test_sentences_are_parted_between_words(tokenizer, sentence, characters):
    whole = encode_words(tokenizer, [sentence, ["cat"]], 30)
    with mock.patch("lowres_stilts.text.encode.STEP", characters):
        assert encode_words(tokenizer, [sentence, ["cat"]], 30) == whole


def test_a_question_that_grows_by_being_cut_leaves_room(tokenizer):
    (windows,) = encode_contexts(tokenizer, [("\ufdfa " * 9, "cat " * 40)], 12, 4)
    assert all(len(window.ids) <= 12 for window in windows)
    assert sum(place[0] >= 0 for window in windows for place in window.offsets) >= 40


def test_slices_cover_the_text():
    tokenizer = xlmr()
    text = "The quiet sea. " * 400 + "東" * 5000 + " and 1,000 cats " * 300
    parts = list(slices(tokenizer, text))
    assert "".join(text[start:end] for start, end in parts) == text
    assert max(end - start for start, end in parts if "東" not in text[start:end]) <= 2048
    assert list(slices(tokenizer, "")) == [(0, 0)]


def test_no_more_of_a_text_is_read_than_can_be_seen():
    read = []
    tokenizer = xlmr()
    read_whole(tokenizer)
    text = "the quiet sea " * 4000

    def spy(tokenizer, texts, is_enough, *, fast):
        for batch in _in_slices(tokenizer, texts, is_enough, fast=fast):
            read.extend(len(encoding) for _, _, encoding in batch)
            yield batch

    with mock.patch("lowres_stilts.text.slices._in_slices", spy):
        encode_texts(tokenizer, [(text, text)], 128)
    assert sum(read) < 2 * 1000


def test_which_tokenizers_are_known():
    assert parts_at_spaces(xlmr()), parts_at_spaces(mbert())
    for unknown in (bare(), byte_pairs(), roberta()):
        assert not parts_at_spaces(unknown)
    steps = {
        "an added token": lambda own: own.add_tokens(["new york"]),
        "a normalizer across spaces": lambda own: setattr(own, "normalizer", normalizers.Replace("a b", "c")),
        "spaces put in front": lambda own: setattr(own, "normalizer", normalizers.Prepend("▁")),
        "spaces around characters": lambda own: setattr(own, "normalizer", normalizers.BertNormalizer()),
        "words not parted": lambda own: setattr(own, "pre_tokenizer", pre_tokenizers.Metaspace(split=False)),
        "no words": lambda own: setattr(own, "pre_tokenizer", None),
    }
    for name, change in steps.items():
        changed = xlmr()
        change(changed)
        assert not parts_at_spaces(changed), name


@pytest.mark.parametrize("kind", ["xlm-r", "bert", pytest.param("starter", marks=pytest.mark.slow)])
def test_every_neighbour_of_a_boundary_is_normalized_by_itself(kind):
    """What the argument says of single characters, for all there are."""
    normal = MAKERS[kind]().normalizer.normalize_str
    step = 1 if kind == "starter" else 7
    for character in map(chr, (p for p in range(1, sys.maxunicode, step) if not 0xD800 <= p < 0xE000)):
        if BOUNDARY.search(f"a{character} a"):
            left = normal(f"a{character}")
            assert normal(f"a{character} a") == left + normal(" a")
            assert kind == "bert" or left[-1] not in " ▁"
        if BOUNDARY.search(f"a {character}a"):
            right = normal(f" {character}a")
            assert normal(f"a {character}a") == "a" + right
            assert right[0] in " ▁"


def test_a_tokenizer_that_is_ready_is_not_touched():
    tokenizer = Tokenizer(models.WordLevel({"a": 0}, "a"))
    tokenizer.enable_padding()
    tokenizer.enable_truncation(3)
    read_whole(tokenizer)
    assert (tokenizer.padding, tokenizer.truncation, tokenizer.encode_special_tokens) == (None, None, True)
    before = tokenizer.to_str()
    read_whole(tokenizer)
    assert tokenizer.to_str() == before
