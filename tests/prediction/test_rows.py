"""Rows keep every column of a file, whatever its format."""

import io

import pytest

from lowres_stilts.errors import DataError, UsageError
from lowres_stilts.prediction.rows import format_of, read_rows, rows_as_they_come


def fields(path, kind):
    return [dict(row.fields) for row in read_rows(path, kind)]


def test_text_has_a_row_in_each_line_blank_ones_too(write):
    path = write("one\r\n\n  two \n", "a.txt")
    assert fields(path, "text") == [{"text": "one"}, {"text": ""}, {"text": "  two "}]


def test_tables_have_their_header(write):
    rows = [{"id": "7", "text": 'say "hi", you'}, {"id": "8", "text": "two\nlines"}]
    comma = write('id,text\n7,"say ""hi"", you"\n8,"two\nlines"\n', "a.csv")
    tab = write('id\ttext\n7\t"say ""hi"", you"\n8\t"two\nlines"\n', "a.tsv")
    assert fields(comma, "csv") == fields(tab, "tsv") == rows
    assert fields(write("id;text\n1;a, b\n", "b.csv"), "csv") == [{"id": "1", "text": "a, b"}]
    assert fields(write("text\na b\n", "c.csv"), "csv") == [{"text": "a b"}]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("id,text\n1\n", "a.csv:2: expected 2 columns, found 1"),
        ("id,id\n1,2\n", "a.csv:1: expected a first line that names every column, each with a name of its own"),
        ("id,\n1,2\n", "a.csv:1: expected a first line that names every column"),
    ],
)
def test_a_malformed_table_is_named(write, content, problem):
    with pytest.raises(DataError, match=problem.replace(".", r"\.")):
        fields(write(content, "a.csv"), "csv")


def test_json_lines_and_lists_keep_what_they_hold(write):
    rows = [{"text": "a", "meta": {"n": 1}}, {"text": "b", "meta": None}]
    lines = write('{"text": "a", "meta": {"n": 1}}\n\n{"text": "b", "meta": null}\n', "a.jsonl")
    whole = write('[{"text": "a", "meta": {"n": 1}}, {"text": "b", "meta": null}]', "a.json")
    assert fields(lines, "jsonl") == fields(whole, "jsonl") == rows


def test_conll_keeps_comments_and_columns(write):
    content = "# text = Ali came\n1\tAli\t_\n1-2\tx\t_\n"
    path = write("# id 1\nAli B-PER\ncame O\n\n\nhere O\n", "a.conll")
    first, second = read_rows(path, "conll")
    assert first.fields == {"tokens": ["Ali", "came"]}
    assert (first.block.lines, first.block.places) == (("# id 1", "Ali B-PER", "came O"), (1, 2))
    assert (second.record.line, second.block.between) == (6, " ")
    (bare,) = read_rows(write("Ali\ncame\n", "b.conll"), "conll")
    assert (bare.fields["tokens"], bare.block.between) == (["Ali", "came"], "\t")
    with pytest.raises(DataError, match=r"c\.conll:2: expected a token"):
        fields(write(content, "c.conll"), "conll")


def test_conll_u_has_words_of_several_tokens(write):
    cells = "\t".join("_" * 8)
    path = write(f"# sent_id = 1\n1-2\tdel\t{cells}\n1\tde\t{cells}\n2\tel\t{cells}\n", "a.conllu")
    (row,) = read_rows(path, "conll")
    assert (row.fields["tokens"], row.block.places) == (["de", "el"], (2, 3))


def test_standard_input_is_read_as_it_comes():
    given = io.BytesIO("один\nдва".encode())
    rows = rows_as_they_come(given, "text")
    assert next(rows).fields == {"text": "один"}
    assert [row.fields["text"] for row in rows] == ["два"]
    with pytest.raises(DataError, match=r"standard input:1: .*JSON"):
        list(rows_as_they_come(io.BytesIO(b"no json\n"), "jsonl"))


def test_what_a_file_is_is_known_by_its_name_or_said(tmp_path):
    assert format_of(tmp_path / "a.JSONL") == "jsonl"
    assert format_of(tmp_path / "a.odd", "conll") == "conll"
    with pytest.raises(UsageError, match=r"say so with --input-format text\|tsv"):
        format_of(tmp_path / "a.odd")
    with pytest.raises(UsageError, match="'xml' is none of text, tsv"):
        format_of(tmp_path / "a.txt", "xml")
