"""Texts that spell control tokens are read as text, in every form in which texts are encoded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

from lowres_stilts.text.control import PlainText
from lowres_stilts.text.encode import encode_texts, encode_words, split_texts
from lowres_stilts.text.windows import encode_contexts
from tests.tiny import tiny_tokenizer

CONTROL = ["<s>", "<pad>", "</s>", "<unk>"]
TEXT = st.lists(st.sampled_from([*CONTROL, "[CLS]", "sad", " ", "rain", "<", "s>"]), min_size=1).map("".join)


def wordpiece():
    """A tokenizer of BERT's kind."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[", "]", "‹", "sad", "cls", "##cls", "##]"]
    numbers = {piece: number for number, piece in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in vocabulary[:4]])
    return tokenizer


@pytest.fixture(scope="module", params=[tiny_tokenizer, wordpiece], ids=["unigram", "wordpiece"])
def tokenizer(request):
    return request.param()


def control_ids(tokenizer):
    unknown = {tokenizer.token_to_id(name) for name in ("<unk>", "[UNK]")}
    return {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special} - unknown


@given(text=TEXT)
def test_control_ids_stand_at_the_ends_alone(text, tokenizer):
    control, template = control_ids(tokenizer), tokenizer.encode("sad").ids
    ends = [number for number in template if number in control]
    (ids,) = encode_texts(tokenizer, [(text, None)], 200)
    assert [number for number in ids if number in control] == ends
    (parts,) = split_texts(tokenizer, [text], 200)
    assert [number for number in parts[0] if number in control] == ends
    if words := text.split():
        ((window,),) = encode_words(tokenizer, [words], 500)
        assert [number for number in window.ids if number in control] == ends
        assert len(window.first_pieces) == len(words)


@given(text=TEXT)
def test_characters_keep_their_places(text, tokenizer):
    plain = PlainText(tokenizer)(text)
    assert len(plain) == len(text)
    assert PlainText(tokenizer)(plain) == plain
    assert all(ours in (theirs, "‹") for ours, theirs in zip(plain, text, strict=True))


def test_answers_stand_where_they_stood(tokenizer):
    context = "<s>sad [CLS] sad"
    ((window, *_),) = encode_contexts(tokenizer, [("sad", context)], 60, 10)
    inside = [(a, b) for a, b in window.offsets if a >= 0 and b > a]
    assert max(b for _, b in inside) == len(context)


def test_other_text_is_left_alone(tokenizer):
    for text in ("", "a < b", "s>", "[cls]", "<S>"):
        assert PlainText(tokenizer)(text) == text
