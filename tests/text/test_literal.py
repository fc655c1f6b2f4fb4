"""Texts that spell control tokens, for each kind of tokenizer that encoders come with."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from lowres_stilts.text.encode import encode_texts, encode_words, split_texts
from lowres_stilts.text.literal import read_literally
from lowres_stilts.text.windows import encode_contexts
from tests.tiny import WORDS, tiny_tokenizer

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def xlmr():
    tokenizer = tiny_tokenizer()
    tokenizer.normalizer = normalizers.NFKC()
    return tokenizer


def bert():
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS.split(), *"[]/", *LETTERS.upper(), *LETTERS]
    pieces += [f"##{letter}" for letter in LETTERS + LETTERS.upper()]
    tokenizer = Tokenizer(models.WordPiece({piece: n for n, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    return tokenizer


def byte_pairs():
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    return tokenizer


def bare():
    tokenizer = xlmr()
    tokenizer.pre_tokenizer = None
    return tokenizer


KINDS = {"xlm-r": xlmr, "bert": bert, "bpe": byte_pairs, "no pre-tokenizer": bare}


@pytest.fixture(params=KINDS)
def tokenizer(request):
    return KINDS[request.param]()


def names_of(tokenizer):
    return [token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special]


def controls(tokenizer, ids):
    """The control tokens among ids, but for the unknown one, which letters may have too."""
    special = {n for n, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    unknown = {tokenizer.token_to_id("<unk>"), tokenizer.token_to_id("[UNK]")}
    return [number for number in ids if number in special - unknown]


def test_names_of_control_tokens_are_characters(tokenizer):
    template = encode_texts(tokenizer, [("cat", None)], 30)[0]
    frame = controls(tokenizer, template)
    for name in names_of(tokenizer):
        for text in (name, f"{name}cat", f"cat{name}", f"cat {name} sat", name * 3, f"<{name}>"):
            (ids,) = encode_texts(tokenizer, [(text, None)], 60)
            assert controls(tokenizer, ids) == frame, text
            (parts,) = split_texts(tokenizer, [text], 60)
            assert controls(tokenizer, parts[0]) == frame, text
            assert len(ids) > len(frame) + 1


def test_pairs_keep_their_template(tokenizer):
    frame = controls(tokenizer, encode_texts(tokenizer, [("cat", "sat")], 60)[0])
    for name in names_of(tokenizer):
        (ids,) = encode_texts(tokenizer, [(f"cat {name}", f"{name} sat")], 90)
        assert controls(tokenizer, ids) == frame


def test_every_word_has_a_first_piece_that_is_its_own(tokenizer):
    for name in names_of(tokenizer):
        words = [f"{name}cat", f"cat{name}", name, "sat"]
        ((window,),) = encode_words(tokenizer, [words], 120)
        assert len(window.first_pieces) == len(words)
        assert not controls(tokenizer, [window.ids[place] for place in window.first_pieces])


def test_windows_point_at_the_characters_of_names(tokenizer):
    for name in names_of(tokenizer):
        question, context = f"{name} cat", f"cat {name}sat{name} dog"
        ((window,),) = encode_contexts(tokenizer, [(question, context)], 120, 4)
        inside = [place for place in window.offsets if place[0] >= 0]
        covered = {spot for start, end in inside for spot in range(start, end)}
        assert {spot for spot, letter in enumerate(context) if letter != " "} <= covered
        assert len(inside) > len(context.split())


def test_a_name_that_only_the_normalizer_spells():
    tokenizer = xlmr()
    (ids,) = encode_texts(tokenizer, [("＜s＞cat", None)], 30)
    assert controls(tokenizer, ids) == [0, 2]


def test_an_added_token_that_is_not_special_stays_one_piece():
    tokenizer = xlmr()
    tokenizer.add_tokens(["<br>"])
    (ids,) = encode_texts(tokenizer, [("cat<br>sat", None)], 30)
    assert tokenizer.token_to_id("<br>") in ids


@given(st.lists(st.sampled_from(WORDS.split()) | st.text("abc.,<>s/[] \u0301漢ไ", max_size=8), max_size=8))
def test_other_texts_keep_their_ids(words):
    text = " ".join(words)
    for kind, make in KINDS.items():
        if not any(name in text for name in ["<s>", "</s>"]):
            plain = make()
            assert encode_texts(make(), [(text, None)], 99)[0] == plain.encode(text).ids[:99], kind


def test_copies_and_files_read_alike(tokenizer):
    read_literally(tokenizer)
    once = tokenizer.to_str()
    for again in (copy.deepcopy(tokenizer), Tokenizer.from_str(once)):
        read_literally(again)
        assert again.to_str() == once
        text = f"{names_of(tokenizer)[0]}cat"
        assert again.encode(text).ids == tokenizer.encode(text).ids
