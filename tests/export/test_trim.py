"""A smaller vocabulary: the same pieces and hidden states for covered text, shorter pieces for the rest."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from lowres_stilts.errors import DataError, ExportError
from lowres_stilts.export.bundle import export_bundle
from lowres_stilts.export.presets import EXACT
from lowres_stilts.export.trim import Vocabulary, choose_pieces, trim_encoder, trim_tokenizer
from lowres_stilts.export.words import word_counts
from lowres_stilts.runtime import Bundle
from lowres_stilts.runtime.network import Row
from lowres_stilts.text.encode import encode_texts, encode_words
from tests.export.networks import float32, network_of
from tests.models import write_tiny_model
from tests.tiny import tiny_tokenizer

COUNTS = {"en": {"the": 5.0, "cat": 3.0, "dog": 1.0}, "sw": {"tea": 2.0, "sea": 2.0, "cab": 1.0}}
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def pieces_of(tokenizer):
    return [piece for piece, _ in json.loads(tokenizer.to_str())["model"]["vocab"]]


def chosen(size=60, counts=COUNTS):
    return choose_pieces(tiny_tokenizer(), counts, size)


def test_special_tokens_signs_and_letters_stay_and_the_most_used_pieces_come_first():
    tokenizer = tiny_tokenizer()
    everything = pieces_of(tokenizer)
    vocabulary = chosen()
    kept = [everything[number] for number in vocabulary.kept]
    letters = set("".join("".join(counts) for counts in COUNTS.values()))
    assert {*SPECIAL, *letters, *".,?!'0123456789", "▁the", "▁cat", "▁dog", "▁tea", "▁sea"} <= set(kept)
    assert "▁happy" not in kept
    assert vocabulary.coverage == {"en": 1.0, "sw": 1.0}
    assert list(vocabulary.kept) == sorted(vocabulary.kept)


def test_a_language_with_many_words_does_not_crowd_out_another():
    counts = {
        "en": dict.fromkeys("the cat dog sat ran glad happy smile sun sad".split(), 1000.0),
        "sw": {"tea": 1.0},
    }
    least = len(chosen(10_000, {"en": dict.fromkeys(counts["en"], 0.0), "sw": {"tea": 0.0}}).kept)
    vocabulary = choose_pieces(tiny_tokenizer(), counts, least + 3)
    kept = [pieces_of(tiny_tokenizer())[number] for number in vocabulary.kept]
    assert "▁tea" in kept
    assert vocabulary.coverage["sw"] == 1.0
    assert vocabulary.coverage["en"] < 1.0


def test_too_small_a_vocabulary_is_named():
    with pytest.raises(ExportError, match=r"--vocabulary: 20 is too small; raise it: special tokens"):
        chosen(20)


def test_only_unigram_vocabularies_are_trimmed():
    with pytest.raises(ExportError, match="only Unigram vocabularies can be trimmed, and this one is WordLevel"):
        choose_pieces(Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>")), COUNTS, 100)


def test_special_tokens_keep_their_roles():
    before, after = tiny_tokenizer(), trim_tokenizer(tiny_tokenizer(), chosen().kept)
    for token in SPECIAL:
        assert after.id_to_token(after.token_to_id(token)) == token
    assert after.token_to_id("<pad>") == before.token_to_id("<pad>")
    for texts in (("the cat",), ("the cat", "tea")):
        assert after.encode(*texts).tokens == before.encode(*texts).tokens
        assert after.encode(*texts).special_tokens_mask == before.encode(*texts).special_tokens_mask
        assert after.encode(*texts).sequence_ids == before.encode(*texts).sequence_ids
    assert after.encode("the <mask>").tokens == before.encode("the <mask>").tokens
    assert after.num_special_tokens_to_add(is_pair=True) == 4
    for unknown in ("é", "ü"):
        assert [after.id_to_token(number) for number in after.encode(unknown).ids] == ["<s>", "▁", "<unk>", "</s>"]
    (window,) = encode_words(after, [["the", "", "cat"]], 20)[0]
    assert [after.id_to_token(number) for number in window.ids] == ["<s>", "▁the", "<unk>", "▁cat", "</s>"]


def test_other_text_falls_back_on_shorter_pieces():
    after = trim_tokenizer(tiny_tokenizer(), chosen().kept)
    assert tiny_tokenizer().encode("ran good").tokens == ["<s>", "▁ran", "▁good", "</s>"]
    assert after.encode("chat").tokens == ["<s>", "▁", "c", "h", "a", "t", "</s>"]
    # Nobody said that p and y are needed.
    found = [after.id_to_token(number) for number in after.encode("happy").ids]
    assert found == ["<s>", "▁", "h", "a", "<unk>", "</s>"]


LETTERS = "abcd"


@st.composite
def tokenizers(draw):
    """A Unigram vocabulary of random pieces and scores; some letters are no pieces of their own."""
    texts = draw(st.lists(st.text("▁" + LETTERS, min_size=1, max_size=4), min_size=4, max_size=14, unique=True))
    scores = draw(st.lists(st.integers(-30, -1), min_size=len(texts), max_size=len(texts)))
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [(text, float(score)) for text, score in zip(texts, scores, strict=True)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>"])
    return tokenizer


WORDS = st.lists(st.text(LETTERS, min_size=1, max_size=6), min_size=1, max_size=5)


@given(tokenizers(), WORDS, WORDS, st.data())
def test_covered_text_has_the_same_pieces(tokenizer, words, others, data):
    least = choose_pieces(tokenizer, {"xx": dict.fromkeys(words, 0.0)}, 10_000)
    size = data.draw(st.integers(len(least.kept), len(least.kept) + 4))
    vocabulary = choose_pieces(tokenizer, {"xx": dict.fromkeys(words, 1.0)}, size)
    after = trim_tokenizer(tokenizer, vocabulary.kept)
    assert len(pieces_of(after)) == len(vocabulary.kept) <= size
    new = {int(old): number for number, old in enumerate(vocabulary.kept)}
    for text in (" ".join(words), " ".join(others), *words, *others):
        ids = tokenizer.encode(text).ids
        if set(ids) <= set(new):
            assert [new[number] for number in ids] == after.encode(text).ids
    if vocabulary.coverage["xx"] == 1.0:
        assert set(tokenizer.encode(" ".join(words)).ids) <= set(new)


def test_the_price_of_an_unknown_letter_stays():
    """It depends on the lowest score of all pieces, also of one that no language needs."""
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [("▁", 0.0), ("ab", -14.0), ("cd", -14.0), ("bcd", -1.0), ("zzzz", -20.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>"])
    assert tokenizer.encode("abcd").tokens == ["▁", "ab", "cd"]
    vocabulary = choose_pieces(tokenizer, {"xx": {"abcd": 1.0, "bcd": 1.0}}, 9)
    assert vocabulary.coverage["xx"] == 1.0
    assert trim_tokenizer(tokenizer, vocabulary.kept).encode("abcd").tokens == ["▁", "ab", "cd"]


@pytest.fixture(scope="module", params=["xlm-roberta", "bert"])
def pair(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    encoder = float32(write_tiny_model(folder / "model", request.param))
    trimmed = trim_encoder(encoder, choose_pieces(encoder.tokenizer, COUNTS, 60))
    return encoder, trimmed, network_of(encoder, folder), network_of(trimmed, _made(folder / "trimmed"))


def _made(folder):
    folder.mkdir()
    return folder


@given(st.lists(st.sampled_from("the cat dog tea sea cab bad 42 ! ate".split()), min_size=1, max_size=12))
@settings(max_examples=20)
def test_covered_text_has_the_same_hidden_states(pair, words):
    encoder, trimmed, whole, small = pair
    (before,), (after,) = (
        encode_texts(own.tokenizer, [(" ".join(words), None)], 70) for own in (encoder, trimmed)
    )
    tokens = [
        [own.tokenizer.id_to_token(number) for number in ids] for own, ids in ((encoder, before), (trimmed, after))
    ]
    assume(tokens[0] == tokens[1])
    # Beside a longer one, so that there is padding.
    longer = [2] * 15
    (states, _), (own, _) = (
        network.states([Row(row, None, "sequence"), Row(longer, None, "sequence")])
        for network, row in ((whole, before), (small, after))
    )
    np.testing.assert_allclose(own[: len(after)], states[: len(before)], atol=1e-5)
    with torch.no_grad():
        torch_states = trimmed.model(input_ids=torch.tensor([after])).last_hidden_state[0].numpy()
    np.testing.assert_allclose(own[: len(after)], torch_states, atol=2e-5)


def test_a_padding_token_that_would_move_is_refused(pair):
    """XLM-R counts its positions from the padding's id on."""
    encoder = pair[0]
    moved = replace(encoder, pad_id=8)
    with pytest.raises(ExportError, match="padding token"):
        trim_encoder(moved, Vocabulary(np.array([0, 1, 2, 3, 4, 6, 7, 8]), {}))


def test_tokens_outside_the_vocabulary_are_refused():
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["newword"])
    with pytest.raises(ExportError, match="newword"):
        choose_pieces(tokenizer, COUNTS, 60)


def test_words_of_texts_and_of_lists(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("tea tea sea\n", encoding="utf-8")
    assert word_counts(["xx"], {"xx": [text, text]}) == {"xx": {"tea": 4, "sea": 2}}
    listed = word_counts(["sw", "de"] if _listed("sw") else ["de"], {})
    assert listed["de"]["und"] > listed["de"]["Und"] > 0
    with pytest.raises(ExportError, match="no word list of qu; give a text of it with --text qu=FILE"):
        word_counts(["qu"], {})
    with pytest.raises(DataError, match="cannot be read: No such file or directory"):
        word_counts(["xx"], {"xx": [tmp_path / "nowhere"]})
    text.write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="cannot be read as UTF-8 text"):
        word_counts(["xx"], {"xx": [text]})


def _listed(language):
    from wordfreq import available_languages

    return language in available_languages()


def test_a_trimmed_bundle_answers_covered_text_alike(zoo, tmp_path, private_cache):
    words = {
        "en": dict.fromkeys("glad happy smile sun sad cry rain grey calm tea sea quiet good bad".split(), 1.0)
    }
    manifest = export_bundle(zoo.places, tmp_path / "bundle", storage=EXACT, words=words, vocabulary=64)
    assert manifest.languages == {"en": 1.0}
    whole, small = Bundle.load(zoo.bundle, threads=1), Bundle.load(tmp_path / "bundle", threads=1)
    texts = ["glad sun", "sad rain grey", "calm tea sea quiet"]
    np.testing.assert_allclose(small.embed(texts), whole.embed(texts), atol=1e-5)
    for own, expected in zip(small.predict(texts, "first"), whole.predict(texts, "first"), strict=True):
        assert own.label == expected.label
        assert own.score == pytest.approx(expected.score, abs=1e-5)
    assert small.predict(["zzz ééé"], "first-intermediate-tags")[0].words == ("zzz", "ééé")
    assert Tokenizer.from_file(str(tmp_path / "bundle" / "tokenizer.json")).get_vocab_size() <= 64
