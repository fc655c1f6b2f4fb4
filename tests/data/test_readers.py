import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.data.readers import read_jsonl, read_lines, read_tsv
from lowres_stilts.errors import DataError

BOM = "\ufeff".encode()
NLI = ["premise", "hypothesis", "label"]
CELL = st.text(st.characters(exclude_characters="\t\r\n\ufeff", exclude_categories=["Cs"]), max_size=12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def rows(path, columns=("text", "label"), label=None):
    return [list(record.fields.values()) for record in read_tsv(path, columns, label)]


@pytest.mark.parametrize(
    "content",
    [b"x\ta\ny\tb\n", b"x\ta\ny\tb", b"x\ta\r\ny\tb\r\n", BOM + b"x\ta\ny\tb\n", b"text\tlabel\nx\ta\ny\tb\n",
     BOM + b"text\tlabel\r\nx\ta\r\ny\tb"],
    ids=["plain", "no last newline", "CRLF", "BOM", "header", "BOM, header, CRLF, no last newline"],
)  # fmt: skip
def test_tsv_reads_the_same_whatever_wrote_it(content, write):
    assert rows(write(content)) == [["x", "a"], ["y", "b"]]


def test_records_stand_at_their_line(write):
    assert [record.line for record in read_tsv(write("text\tlabel\nx\ta\ny\tb\n"), ["text", "label"])] == [2, 3]
    assert [record.line for record in read_jsonl(write('{"a": 1}\n\n{"a": 2}\n'))] == [1, 3]


def test_a_header_is_a_header_only_in_the_first_line(write):
    assert rows(write("x\ta\ntext\tlabel\n")) == [["x", "a"], ["text", "label"]]


def test_quotes_are_kept_as_they_are(write):
    assert rows(write('"x\ta\n"y ""z""\t\'b\'\n')) == [['"x', "a"], ['"y ""z""', "'b'"]]


def test_line_separators_of_unicode_are_no_line_ends(write):
    text = "x\u2028y\x85z\x0b\x0c\x1c"
    assert rows(write(f"{text}\ta\n")) == [[text, "a"]]


@pytest.mark.parametrize(
    ("content", "line", "found"),
    [("x\ta\ny\n", 2, 1), ("x\ta\ny\tb\tc\n", 2, 3), ("x\ta\n\ny\tb\n", 2, 1), ("x\n", 1, 1), ("x\ta\t\n", 1, 3)],
)
def test_a_wrong_number_of_columns_names_file_and_line(content, line, found, write):
    path = write(content)
    with pytest.raises(DataError) as caught:
        rows(path)
    assert str(caught.value) == f"{path}:{line}: expected 2 tab-separated columns (text, label), found {found}"


def test_only_the_label_may_be_missing_and_only_in_the_whole_file(write):
    assert rows(write("x\ny\n"), label="label") == [["x"], ["y"]]
    for mixed in ("x\ta\ny\n", "x\ny\ta\n"):
        with pytest.raises(DataError, match=r"x\.tsv:2: expected"):
            rows(write(mixed), label="label")


def test_the_header_of_a_file_without_labels_is_skipped(write):
    assert rows(write("premise\thypothesis\nx\ty\n"), NLI, "label") == [["x", "y"]]


@pytest.mark.parametrize("content", ["premise\thypothesis\nx\ty\ta\n", "premise\thypothesis\tlabel\nx\ty\n"])
def test_rows_are_as_wide_as_their_header(content, write):
    with pytest.raises(DataError, match=r"x\.tsv:2: expected [23] tab-separated columns"):
        rows(write(content), NLI, "label")


def test_invalid_utf8_names_file_and_line(write):
    path = write(b"x\ta\nb\xe9\ta\n")
    with pytest.raises(DataError) as caught:
        list(read_lines(path))
    assert str(caught.value).startswith(f"{path}:2: not valid UTF-8")


def test_a_missing_file_says_where_to_name_it(tmp_path):
    with pytest.raises(DataError) as caught:
        list(read_lines(tmp_path / "none.tsv"))
    assert str(caught.value).startswith(f"{tmp_path / 'none.tsv'}: no such file")
    assert "data.files" in str(caught.value)


def test_a_folder_in_the_place_of_a_file_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="is a folder; a file is wanted"):
        list(read_lines(tmp_path))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("[1, 2]", "expected a JSON object, found [1, 2]"),
        ('"text"', "expected a JSON object, found 'text'"),
        ("null", "expected a JSON object, found nothing"),
        ('{"a": 1', "not valid JSON"),
        ("{'a': 1}", "not valid JSON"),
        ("[" * 100_000, "not valid JSON (nested too deeply)"),
        pytest.param(
            '{"label": ' + "9" * 5000 + "}",
            "not valid JSON",
        ),
    ],
    ids=["list", "string", "null", "cut off", "single quotes", "deep", "long number"],
)
def test_a_line_that_is_no_json_object_names_file_and_line(line, problem, write):
    path = write(f'{{"a": 1}}\n\n{line}\n', "x.jsonl")
    with pytest.raises(DataError) as caught:
        list(read_jsonl(path))
    assert str(caught.value).startswith(f"{path}:3: {problem}")
    assert len(str(caught.value)) < 300 + len(str(path))


@given(table=st.lists(st.tuples(CELL, CELL, CELL), max_size=5))
def test_tsv_that_is_written_is_read_back(table, folder):
    path = folder / "back.tsv"
    path.write_bytes("".join("\t".join(row) + "\n" for row in table).encode())
    assert rows(path, ("a", "b", "c")) == [list(row) for row in table if row != ("a", "b", "c")]


@given(
    objects=st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none()), max_size=5),
    ascii_only=st.booleans(),
)
def test_jsonl_that_is_written_is_read_back(objects, ascii_only, folder):
    path = folder / "back.jsonl"
    path.write_bytes("".join(json.dumps(fields, ensure_ascii=ascii_only) + "\n" for fields in objects).encode())
    assert [record.fields for record in read_jsonl(path)] == objects
