import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowres_stilts.data.readers import read_conll, read_jsonl, read_lines, read_tsv
from lowres_stilts.errors import DataError
from lowres_stilts.tasks.registry import REGISTRY

SHARED_FOLDER = settings(
    max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
CELL = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="\x85"), min_size=1
).filter(str.strip)


def _file(folder: Path, content: bytes | str, name="data.tsv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_byte_order_mark_crlf_and_no_last_newline_are_tolerated(tmp_path):
    path = _file(tmp_path, b"\xef\xbb\xbfone\r\ntwo\nthree")
    assert list(read_lines(path)) == [(1, "one"), (2, "two"), (3, "three")]


def test_quotes_are_text_and_a_header_is_skipped(tmp_path):
    path = _file(tmp_path, 'text\tlabel\n"so\t0\nhe said "hm"\t1\n')
    assert [record.fields for record in read_tsv(path, ["text", "label"])] == [
        {"text": '"so', "label": "0"},
        {"text": 'he said "hm"', "label": "1"},
    ]


def test_a_test_file_may_lack_the_label_column_but_not_here_and_there(tmp_path):
    path = _file(tmp_path, "a\nb\n")
    assert [r.fields for r in read_tsv(path, ["text", "label"], "label")] == [{"text": "a"}, {"text": "b"}]
    mixed = _file(tmp_path, "a\t0\nb\n")
    with pytest.raises(DataError, match=r"data\.tsv:2: expected 2 tab-separated columns \(text, label\), found 1"):
        list(read_tsv(mixed, ["text", "label"], "label"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}\n[1]\n", r":2: expected a JSON object, found \[1\]"),
        ('{"a": 1}\n\n{"a"\n', ":3: not valid JSON"),
        ("[" * 100_000, ":1: not valid JSON"),
    ],
)
def test_bad_json_lines_are_named(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        list(read_jsonl(_file(tmp_path, content, "data.jsonl")))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tO\nb\n", r":2: expected a token, a tab and a tag, found 'b'"),
        ("a\tO\n\tO\n", ":2: expected a token, a tab and a tag"),
        ("a\tO\tx\n", ":1: expected a token, a tab and a tag"),
        ("a\nb\tO\n", ":2: expected a token alone"),
    ],
)
def test_bad_conll_lines_are_named(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        list(read_conll(_file(tmp_path, content)))


def test_conll_sentences_end_at_blank_lines_and_at_the_end(tmp_path):
    path = _file(tmp_path, "\na\tX\nb\tY\n\n\nc\tX")
    assert [(record.line, record.fields) for record in read_conll(path)] == [
        (2, {"tokens": ["a", "b"], "tags": ["X", "Y"]}),
        (6, {"tokens": ["c"], "tags": ["X"]}),
    ]


def test_missing_files_and_bytes_that_are_no_utf_8_are_named(tmp_path):
    with pytest.raises(DataError, match=r"nothing\.tsv: no such file; check data\.dir"):
        list(read_lines(tmp_path / "nothing.tsv"))
    with pytest.raises(DataError, match=r"data\.tsv:2: not valid UTF-8"):
        list(read_lines(_file(tmp_path, b"fine\n\xff\n")))
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        list(read_lines(tmp_path))


@given(st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=8))
@SHARED_FOLDER
def test_tsv_round_trip(tmp_path, rows):
    path = _file(tmp_path, "".join("\t".join(row) + "\n" for row in rows))
    assert [list(record.fields.values()) for record in read_tsv(path, ["a", "b", "c"])] == rows


@given(st.lists(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6), max_size=5))
@SHARED_FOLDER
def test_conll_round_trip(tmp_path, sentences):
    text = "".join("".join(f"{token}\t{tag}\n" for token, tag in sentence) + "\n" for sentence in sentences)
    found = [
        list(zip(record.fields["tokens"], record.fields["tags"], strict=True))
        for record in read_conll(_file(tmp_path, text))
    ]
    assert found == sentences


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
KEYS = st.sampled_from(
    "premise hypothesis label text prompt choices question choice1 choice2 context answerA answerB answerC correct "
    "stem tokens tags source english answerKey".split()
)
NEARLY_RIGHT = st.dictionaries(KEYS, JSON_VALUES | st.dictionaries(KEYS, JSON_VALUES, max_size=4), max_size=8)


@given(
    st.sampled_from(sorted(REGISTRY)),
    st.sampled_from(["data.tsv", "data.jsonl", "data.sw"]),
    st.binary(max_size=60)
    | st.text(st.sampled_from('a \t\n\r01OB-{}[]",:\u2028\ufeff'), max_size=60).map(str.encode)
    | st.lists(NEARLY_RIGHT.map(lambda value: json.dumps(value).encode()), min_size=1, max_size=3).map(b"\n".join),
)
@settings(SHARED_FOLDER, max_examples=1500)
def test_whatever_stands_in_a_file_readers_give_examples_or_data_errors(tmp_path, task, name, content):
    path = _file(tmp_path, content, name)
    (tmp_path / "data.en").write_bytes(content[::-1])
    try:
        list(REGISTRY[task].reader(path, REGISTRY[task]))
    except DataError as error:
        assert str(error).startswith(str(tmp_path / "data."))
        assert "\n" not in str(error)
