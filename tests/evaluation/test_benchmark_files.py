"""What the readers of prediction files take, and the lines they name."""

import re

import pytest

from lowres_stilts.errors import DataError
from lowres_stilts.evaluation.benchmark_files import (
    read_answers,
    read_labels,
    read_pairs,
    read_rankings,
    read_tags,
)

BYTE_ORDER_MARK = "\ufeff"


@pytest.mark.parametrize("start", ["", BYTE_ORDER_MARK], ids=["plain", "byte order mark"])
@pytest.mark.parametrize(
    ("read", "text", "content"),
    [
        (read_labels, "neutral\r\n two words \n", ["neutral", "two words"]),
        (read_tags, "NOUN\nX\n\n\nVERB\n\n", [["NOUN", "X"], ["VERB"]]),
        (read_pairs, "zh-1\ten-7\n\n", [("zh-1", "en-7"), ("",)]),
        (read_answers, '{"1": "猫", "2": null}', {"1": "猫", "2": None}),
        (read_answers, '{"data": {"1": ""}}', {"1": ""}),
        (read_rankings, '{"1": ["b", "a"], "2": []}', {"1": ["b", "a"], "2": []}),
    ],
)
def test_a_file_is_read_with_or_without_a_byte_order_mark(read, text, content, start, write):
    assert read(write(start + text)) == content


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (read_labels, "yes\nyes\tno\n", ":2: expected one label in a line, found 2 columns"),
        (read_tags, "NOUN\n\na\tNOUN\tx\n", ":3: expected one label in a line, found 3 columns"),
        (read_pairs, "a\tb\na\tb\tc\n", ":2: expected source id, tab, target id; found 3 columns"),
        (read_answers, "[]", ": expected a JSON object that maps ids to predictions"),
        (read_answers, '{"1": "a", "2": 3}', ": the answer to '2' is int, not a text"),
        (read_rankings, '{"1": ["a"], "2": ["a", 3]}', ": expected a list of ids for '2'"),
    ],
)
def test_what_is_of_another_form_is_named_with_its_place(read, text, message, write):
    path = write(text)
    with pytest.raises(DataError, match=f"^{re.escape(str(path) + message)}$"):
        read(path)
