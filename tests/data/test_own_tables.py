"""Tables of the user's own, however they are written."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.data.own_tables import Layout, read_own
from lowres_stilts.errors import DataError

CELL = st.text(st.characters(exclude_characters="\r\ufeff", exclude_categories=["Cs"]), max_size=12)
FIELDS = ["text", "label"]


def rows(path, layout=None):
    return [
        (record.fields["text"], record.fields.get("label"))
        for record in read_own(path, FIELDS, layout or Layout())
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", 'text,label\n"Bei, gani?",a\nSawa,b\n'),
        ("x.csv", '"Bei, gani?",a\nSawa,b\n'),
        ("x.CSV", 'text;label\n"Bei, gani?";a\nSawa;b\n\n'),
        ("x.csv", "id\tlabel\ttext\n1\ta\tBei, gani?\n2\tb\tSawa\n"),
        ("x.tsv", "Bei, gani?\ta\nSawa\tb\n\n\n"),
        ("x.tsv", '"Bei, gani?"\ta\n"Sawa"\tb\n'),
        ("x.txt", "text\tlabel\nBei, gani?\ta\nSawa\tb\n"),
        ("x.jsonl", '{"text": "Bei, gani?", "label": "a"}\n{"text": "Sawa", "label": "b"}\n'),
        ("x.JSONL", '{"text": "Bei, gani?", "label": "a"}\n{"text": "Sawa", "label": "b"}\n'),
        ("x.ndjson", '{"text": "Bei, gani?", "label": "a"}\n\n{"text": "Sawa", "label": "b"}\n\n'),
        ("x.json", '[{"text": "Bei, gani?", "label": "a"},\n {"text": "Sawa", "label": "b"}]\n'),
        ("x.json", '{"text": "Bei, gani?", "label": "a"}\n{"text": "Sawa", "label": "b"}\n'),
    ],
)
def test_what_can_be_told_apart_reads_the_same(name, content, write):
    assert rows(write(content, name)) == [("Bei, gani?", "a"), ("Sawa", "b")]


def test_own_names_of_columns_and_the_line_of_each_row(write):
    path = write('review,stars,sentiment\n"line\nend",5,good\nbad one,1,bad\n', "x.csv")
    layout = Layout({"text": "review", "label": "sentiment"})
    assert rows(path, layout) == [("line\nend", "good"), ("bad one", "bad")]
    assert [record.line for record in read_own(path, FIELDS, layout)] == [2, 4]
    path = write(json.dumps({"review": "x", "sentiment": "good"}), "x.jsonl")
    assert rows(path, layout) == [("x", "good")]


def test_delimiter_header_and_quoting_as_the_recipe_says(write):
    path = write('text|label\n"x|"y"\n', "x.txt")
    assert rows(path, Layout(delimiter="|", header=False, quoting="none")) == [("text", "label"), ('"x', '"y"')]
    assert rows(write('a "quoted" word\tx\n', "x.tsv")) == [('a "quoted" word', "x")]
    assert rows(write('"two\nlines"\tx\n', "x.tsv"), Layout(quoting="minimal")) == [("two\nlines", "x")]


def test_a_file_may_leave_out_the_label_as_a_whole(write):
    assert rows(write("x, y\nz\n", "x.txt")) == [("x, y", None), ("z", None)]
    assert rows(write("text,id\nx,1\n", "x.csv")) == [("x", None)]


@pytest.mark.parametrize(
    ("name", "content", "layout", "problem"),
    [
        ("x.csv", "x,a,b\n", {}, ":1: expected 2 comma-separated columns (text, label), found 3"),
        ("x.csv", "text,label\nx,a\ny\n", {}, ":3: expected 2 comma-separated columns"),
        ("x.csv", "text,label\nx,a\n\ny,b\n", {}, ":3: expected 2 comma-separated columns"),
        (
            "x.csv",
            "revew,label\nx,a\n",
            {"columns": {"text": "review"}},
            ":1: no column 'review'; did you mean 'revew'",
        ),
        ("x.csv", "a,b\nx,a\n", {"columns": {"text": "review"}}, ":1: no column 'review'; there are a, b"),
        ("x.csv", "text,text,label\nx,x,a\n", {}, ":1: expected a header with a name of its own"),
        ("x.csv", 'text,label\n"x" y,a\n', {}, ":2: quotes out of place"),
        ("x.csv", 'text,label\n"x,a\n', {}, "quotes out of place"),
        (
            "x.jsonl",
            '{"revew": "x"}\n',
            {"columns": {"text": "review"}},
            ":1: no field 'review'; did you mean 'revew'",
        ),
        ("x.json", "[1]", {}, ":[0]: expected a JSON object, found 1"),
        ("x.json", '[{"text": "x"}', {}, ":1: not valid JSON"),
    ],
)
def test_what_cannot_be_read_names_file_and_line(name, content, layout, problem, write):
    path = write(content, name)
    with pytest.raises(DataError) as caught:
        rows(path, Layout(**layout))
    assert str(caught.value).startswith(str(path))
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@given(table=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=5), delimiter=st.sampled_from(",;\t|"))
def test_what_pythons_csv_writes_is_read_back(table, delimiter, folder):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([FIELDS, *table])
    path = folder / "back.csv"
    path.write_bytes(text.getvalue().encode())
    assert rows(path, Layout(delimiter=delimiter, quoting="minimal")) == table
