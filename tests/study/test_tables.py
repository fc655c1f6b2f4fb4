import csv
import io

from lowres_stilts.study.tables import Table

TABLE = Table(
    "t", "T", ["a_b", "c|d"], [["1 & 2", "x|y"], ["3%", "z"]], ["a", "b"], [[1, 'say "x", y'], [2.5, ""]]
)


def test_csv_is_read_back():
    assert list(csv.reader(io.StringIO(TABLE.csv()))) == [["a", "b"], ["1", 'say "x", y'], ["2.5", ""]]


def test_markdown_keeps_its_columns():
    lines = TABLE.markdown().splitlines()
    assert lines[0] == "| a_b | c\\|d |"
    assert lines[1] == "| --- | --- |"


def test_latex_escapes_what_is_special():
    text = TABLE.latex()
    assert r"a\_b & c|d \\" in text
    assert r"1 \& 2" in text
    assert r"3\%" in text
    assert text.count(r"\\") == 3
