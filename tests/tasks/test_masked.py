import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.data.examples import TextExample
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.tasks.features import UNLABELLED
from lowres_stilts.text.encode import split_texts
from tests.tiny import tiny_tokenizer

TOKENIZER = tiny_tokenizer()
MASK = TOKENIZER.token_to_id("<mask>")
TEXTS = st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=4)


def encode(texts, max_length=12):
    examples = [TextExample(text, None, None) for text in texts]
    return FAMILIES["mlm"].encode(REGISTRY["mlm"], examples, TOKENIZER, max_length)


@given(texts=TEXTS, max_length=st.integers(3, 20))
def test_labels_are_what_stood_where_a_token_is_hidden(texts, max_length):
    features = encode(texts, max_length)
    original = [ids for sequences in split_texts(TOKENIZER, texts, max_length) for ids in sequences]
    flat = np.array([token for ids in original for token in ids], np.int32)
    assert np.diff(features.sequences).tolist() == [len(ids) for ids in original]
    assert (features.labels != UNLABELLED).tolist() == features.carriers.tolist()
    assert (features.labels[features.carriers] == flat[features.carriers]).all()
    assert (features.ids[~features.carriers] == flat[~features.carriers]).all()
    assert MASK not in features.ids[~features.carriers]


@given(texts=TEXTS)
def test_what_is_hidden_depends_on_the_text_alone(texts):
    together = encode(texts)
    for example, text in enumerate(texts):
        rows = slice(*together.sequences[together.examples[example : example + 2]])
        assert together.ids[rows].tolist() == encode([text]).ids.tolist()


def test_the_same_tokens_are_hidden_by_every_release():
    features = encode(["the cat sat calm tea sea " * 4], 30)
    assert np.flatnonzero(features.carriers).tolist() == [3, 17, 19, 25]


def test_a_long_text_becomes_several_sequences_of_one_example():
    features = encode(["the cat sat " * 19 + "the cat sat", "sun"])
    assert features.widths().tolist() == [6, 1]
    assert features.lengths().max() <= 12
    assert len(features.by_sequence()) == 7
