"""How finely a tokenizer cuts a language."""

import pytest
from tokenizers import Tokenizer

from lowres_stilts.encoder.starter import starter_model_dir
from lowres_stilts.text.pieces import Pieces, pieces_of
from tests.tiny import tiny_tokenizer


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["cat", "dog"], Pieces(2 / 6, 0.0)),
        (["xyz", "qq"], Pieces(1.0, 0.0)),
        (["cat", "ߒߞߏ"], Pieces(2 / 6, 0.5)),
        (["中", "文"], None),
        ([], None),
    ],
)
def test_words_letters_and_unknown_characters(words, expected):
    assert pieces_of(tiny_tokenizer(), [words]) == expected


@pytest.mark.parametrize(
    ("text", "per_character", "unknown"),
    [
        ("The trains were late again this morning.", (0.1, 0.4), 0.0),
        ("中文是世界上使用人数最多的语言之一，历史悠久。", (0.4, 0.7), 0.0),
        ("ภาษาไทยเป็นภาษาที่ใช้ในประเทศไทย", (0.1, 0.4), 0.0),
        ("ߒߞߏ ߦߋ߫ ߞߊ߲ ߘߏ߫ ߟߋ߬ ߘߌ߫", (0.2, 0.5), 1.0),
    ],
)
def test_the_starters_vocabulary_reads_languages_without_spaces_and_lacks_nko(text, per_character, unknown):
    found = pieces_of(Tokenizer.from_file(str(starter_model_dir() / "tokenizer.json")), [text.split()])
    low, high = per_character
    assert low < found.per_character < high
    assert found.unknown == unknown
