"""What requests are charged for memory, and what they take."""

import sys
import tracemalloc
import unicodedata

import pytest

from lowres_stilts.runtime.families import FAMILIES
from lowres_stilts.runtime.manifest import AdapterPart
from lowres_stilts.serving.memory import EXPANDING, EXPANSION, request_bytes
from lowres_stilts.serving.settings import Queue
from lowres_stilts.text.slices import finish, read_whole
from lowres_stilts.text.tokens import tokens_in_steps
from tests.text.test_slices import mbert, xlmr

LIMIT = 50_000
TEXTS = {
    "alphabet": "the quiet sea ",
    "letters": "a ",
    "numbers": "3.1,4 ",
    "no spaces": "我们今天去北京看朋友们",
    "pictures": "😀",
    "words in a character": "\ufdfa",
}


def charged(kind, *texts):
    return request_bytes(kind, texts, 1)


def peak(work):
    """Bytes that Python has at most while it works."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("make", [xlmr, mbert])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("family", ["classification", "tagging", "qa"])
def test_no_more_is_taken_than_was_charged(make, text, family):
    tokenizer = make()
    read_whole(tokenizer)
    text = (text * LIMIT)[:20_000]
    inputs = {"classification": (text, text), "tagging": text, "qa": ("who?", text)}[family]
    part = AdapterPart.model_construct(name="x", texts=None)

    def work():
        finish(FAMILIES[family].encode(tokenizer, [FAMILIES[family].check(part, inputs)], 128))

    texts = [inputs] if isinstance(inputs, str) else inputs
    assert peak(work) <= charged(family, *texts)


@pytest.mark.parametrize("text", [text for name, text in TEXTS.items() if name != "words in a character"])
def test_no_more_is_taken_for_tokens_than_was_charged(text):
    tokenizer = xlmr()
    read_whole(tokenizer)
    text = (text * LIMIT)[:20_000]
    taken = peak(lambda: finish(tokens_in_steps(tokenizer, text, LIMIT, special_tokens=True)))
    assert taken <= charged("tokens", text)


@pytest.mark.parametrize("family", ["classification", "tagging", "qa"])
def test_memory_is_linear_in_the_text(family):
    tokenizer = xlmr()
    read_whole(tokenizer)
    part = AdapterPart.model_construct(name="x", texts=None)

    def taken(characters):
        text = ("the quiet sea " * LIMIT)[:characters]
        inputs = {"classification": (text, text), "tagging": text, "qa": ("who?", text)}[family]
        given = FAMILIES[family].check(part, inputs)
        return peak(lambda: finish(FAMILIES[family].encode(tokenizer, [given], 128)))

    assert taken(40_000) < 6 * taken(10_000)  # 16 would be the square; numbers of small size cost nothing


def test_characters_that_become_words_are_charged_for_them():
    for character in map(chr, (p for p in range(sys.maxunicode + 1) if not 0xD800 <= p < 0xE000)):
        normal = unicodedata.normalize("NFKC", character).encode()
        size = len(character.encode())
        assert len(normal) <= (size + EXPANSION if EXPANDING.match(character) else 4 * size)


def test_the_longest_text_of_any_kind_can_be_asked_for():
    for text in TEXTS.values():
        longest = (text * LIMIT)[:LIMIT]
        for kind in ("classification", "embeddings"):
            assert charged(kind, longest, longest) <= Queue().bytes
        if text != "\ufdfa":
            assert max(charged("tagging", longest), charged("qa", "who?", longest)) <= Queue().bytes


def test_ids_and_halves_of_surrogates_have_a_size():
    assert request_bytes("ids", [[1, 2, 3], [4]], 2) > request_bytes("ids", [[1]], 2)
    assert charged("embeddings", "\ud800") > charged("embeddings", "")
