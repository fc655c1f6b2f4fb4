from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.text.words import words_in


def words(text):
    return [text[start:end] for start, end in words_in(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Angela Merkel alizaliwa Hamburg.", ["Angela", "Merkel", "alizaliwa", "Hamburg", "."]),
        ("(Mr. O'Neil)", ["(", "Mr", ".", "O'Neil", ")"]),
        ("東京はカナ", ["東", "京", "は", "カ", "ナ"]),
        ("in 東京, Japan", ["in", "東", "京", ",", "Japan"]),
        ("नई दिल्ली में", ["नई", "दिल्ली", "में"]),
        ("کراچی میں۔", ["کراچی", "میں", "۔"]),
        ("...", [".", ".", "."]),
        ("Honolulu, Hawaii.", ["Honolulu", ",", "Hawaii", "."]),
        ("ไทย 2024", ["ไ", "ท", "ย", "2024"]),
        ("ສະບາຍດີ", ["ສະ", "ບາ", "ຍ", "ດີ"]),
        ("សួស្តី", ["សួ", "ស្តី"]),
        ("བོད་ཡིག།", ["བོད", "་", "ཡིག", "།"]),
        ("မြန်မာ ရန်ကုန်မြို့။", ["မြန်မာ", "ရန်ကုန်မြို့", "။"]),
        (" \t\n\u2003", []),
        ("", []),
    ],
)
def test_words_of_many_scripts(text, expected):
    assert words(text) == expected


@given(st.text())
def test_words_are_in_order_and_leave_out_white_space_alone(text):
    places = words_in(text)
    assert all(a < b for a, b in places)
    assert all(before[1] <= after[0] for before, after in pairwise(places))
    assert "".join(words(text)) == "".join(text.split())
