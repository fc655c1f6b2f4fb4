import unicodedata
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lowres_stilts.text.words import words_in

UNSEEN = "\u200b\ufeff"
SCRIPTS = st.text("ab1.,'’-()$…¿।،״東カ々ก็น้ำວັខ្ញុំབོད་ရန်၊४ि्\u0301\u200d\u200c\u200b😀👩🏽🇩🇪❤\ufe0f \n", max_size=30)


def words(text):
    return [text[start:end] for start, end in words_in(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Angela Merkel alizaliwa Hamburg.", ["Angela", "Merkel", "alizaliwa", "Hamburg", "."]),
        ("alizaliwa Honolulu, Hawaii.", ["alizaliwa", "Honolulu", ",", "Hawaii", "."]),
        ("(Mr. O'Neil)", ["(", "Mr", ".", "O'Neil", ")"]),
        ("नई दिल्ली में।", ["नई", "दिल्ली", "में", "।"]),
        ("کراچی میں۔", ["کراچی", "میں", "۔"]),
        ("سلام، می\u200cخواهم؟", ["سلام", "،", "می\u200cخواهم", "؟"]),
        ("צה״ל בישראל.", ["צה״ל", "בישראל", "."]),
        (" \t\n\u2003\u200b\ufeff", []),
        ("", []),
    ],
)
def test_punctuation_is_apart(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("wait...", ["wait", "..."]),
        ("''Die Welt''", ["''", "Die", "Welt", "''"]),
        ('("a")', ["(", '"', "a", '"', ")"]),
        ("what?!", ["what", "?", "!"]),
        ("-- so", ["--", "so"]),
    ],
)
def test_a_run_of_one_sign_is_one_word(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("J. R. Tolkien", ["J.", "R.", "Tolkien"]),
        ("the U.S., z.B.", ["the", "U.S.", ",", "z.B."]),
        ("Гл. В.", ["Гл", ".", "В."]),
        ("Dr. No", ["Dr", ".", "No"]),
        ("in 2005.", ["in", "2005", "."]),
    ],
)
def test_initials_keep_their_points(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Merkel's and Merkel’s.", ["Merkel", "'s", "and", "Merkel", "’s", "."]),
        ("the boys' dog can't", ["the", "boys", "'", "dog", "can't"]),
        ("Dis 'n hond", ["Dis", "'n", "hond"]),
        ("it 's, 'a'", ["it", "'s", ",", "'", "a", "'"]),
        ("d'Inde Ankara'da N'Djamena", ["d'Inde", "Ankara'da", "N'Djamena"]),
    ],
)
def test_apostrophes(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,000.5 1886–1956", ["1,000.5", "1886–1956"]),
        ("$1.50, €5 100%", ["$", "1.50", ",", "€", "5", "100", "%"]),
        ("Coca-Cola Haus- und Hof", ["Coca-Cola", "Haus-", "und", "Hof"]),
        ("Paris - Rome", ["Paris", "-", "Rome"]),
        ("(https://a.org/b-c?d=1), me@b.de!", ["(", "https://a.org/b-c?d=1", ")", ",", "me@b.de", "!"]),
        ("a<b <me@b.de> 3<4", ["a<b", "<me@b.de>", "3<4"]),
    ],
)
def test_signs_within_a_word_stay(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<s>Angela Merkel</s>, a<br/>b", ["<s>", "Angela", "Merkel", "</s>", ",", "a", "<br/>", "b"]),
        ("[CLS] x [SEP].", ["[", "CLS", "]", "x", "[", "SEP", "]", "."]),
    ],
)
def test_markup_and_names_of_control_tokens(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("東京はカナ", ["東", "京", "は", "カ", "ナ"]),
        ("in 東京, Japan", ["in", "東", "京", ",", "Japan"]),
        ("人々が「2005年」。", ["人", "々", "が", "「", "2005", "年", "」", "。"]),
        ("か\u3099ﾊﾞ", ["か\u3099", "ﾊﾞ"]),
        ("น้ำกรุงเทพฯ ๑๒", ["น้ำ", "ก", "รุ", "ง", "เ", "ท", "พ", "ฯ", "๑๒"]),
        ("ດີລາວ", ["ດີ", "ລ", "າ", "ວ"]),
        ("ខ្ញុំភ្នំ។", ["ខ្ញុំ", "ភ្នំ", "។"]),
        ("བོད་ལྗོངས།", ["བོད་", "ལྗོངས", "།"]),
        ("ရန်ကုန်မြို့၊ တွင်လွန်၍", ["ရန်ကုန်မြို့", "၊", "တွင်လွန်၍"]),
    ],
)
def test_scripts_without_spaces(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Paris❤️Rome👍🏽👍🏽", ["Paris", "❤️", "Rome", "👍🏽", "👍🏽"]),
        ("👩‍👩‍👧‍👦🇩🇪🇫🇷", ["👩‍👩‍👧‍👦", "🇩🇪", "🇫🇷"]),
        ("20°C ★", ["20°C", "★"]),
    ],
)
def test_pictures_are_whole_and_apart(text, expected):
    assert words(text) == expected


@given(st.text() | SCRIPTS)
@example("a\u200bb")
def test_words_are_in_order_and_leave_out_white_space_alone(text):
    places = words_in(text)
    assert all(a < b for a, b in places)
    assert all(before[1] <= after[0] for before, after in pairwise(places))
    assert "".join(words(text)) == "".join(
        letter for letter in text if not letter.isspace() and letter not in UNSEEN
    )


@given(st.text() | SCRIPTS)
def test_no_word_begins_within_a_character(text):
    inside = [start for start, _ in words_in(text) if start and not text[start - 1].isspace()]
    for start in inside:
        if text[start - 1] not in UNSEEN:
            assert not unicodedata.category(text[start]).startswith("M")
            assert text[start] not in "\u200c\u200d"


@given(st.text() | SCRIPTS)
def test_words_with_spaces_between_them_are_those_words(text):
    found = words(text)
    assert words(" ".join(found)) == found
