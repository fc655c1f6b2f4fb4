import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from lowres_stilts.errors import TooLongError
from lowres_stilts.text.slices import finish
from lowres_stilts.text.tokens import tokens_in_steps

VOCABULARY = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), ("▁", -1.0), *((chr(n), -2.0) for n in range(97, 123)),
              ("東", -2.0), ("é", -2.0), ("😀", -2.0)]  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer():
    made = Tokenizer(models.Unigram(VOCABULARY, unk_id=0))
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.add_special_tokens(["<s>", "</s>"])
    made.post_processor = processors.TemplateProcessing("<s> $A </s>", None, [("<s>", 1), ("</s>", 2)])
    return made


def tokens_of(tokenizer, text, most, *, special_tokens):
    return finish(tokens_in_steps(tokenizer, text, most, special_tokens=special_tokens))


def test_places_are_counted_in_bytes(tokenizer):
    found = tokens_of(tokenizer, "é東😀a", 99, special_tokens=True)
    assert [(token.text, token.start, token.stop) for token in found if not token.special][-4:] == [
        ("é", 0, 2),
        ("東", 2, 5),
        ("😀", 5, 9),
        ("a", 9, 10),
    ]
    assert [(found[0].text, found[0].start), (found[-1].text, found[-1].stop)] == [("<s>", None), ("</s>", None)]


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_parts_of_a_text_are_where_they_say(tokenizer, text):
    for token in tokens_of(tokenizer, text, 10_000, special_tokens=False):
        if not token.special:
            assert text.encode()[token.start : token.stop].decode() == token.text


def test_what_becomes_long_by_normalization_is_refused(tokenizer):
    """One character that is eighteen after NFKC."""
    assert len(tokens_of(tokenizer, "\ufdfa", 20, special_tokens=False)) == 8
    with pytest.raises(TooLongError, match="90 characters"):
        tokens_of(tokenizer, "\ufdfa" * 5, 20, special_tokens=False)


def test_too_many_tokens_are_refused(tokenizer):
    with pytest.raises(TooLongError, match="tokens is longer than 4"):
        tokens_of(tokenizer, "abcd", 4, special_tokens=True)
