import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowres_stilts.data.conll import read_conll
from lowres_stilts.errors import DataError

CELL = st.text(st.characters(exclude_characters="\t\r\n\ufeff", exclude_categories=["Cs"]), max_size=12)
WORD = CELL.filter(str.strip)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def test_sentences_stand_at_the_line_of_their_first_token(write):
    sentences = "\n\nx\ta\ny\tb\n\n \nz\ta"
    assert [record.line for record in read_conll(write(sentences))] == [3, 7]


@pytest.mark.parametrize(
    ("content", "line", "wanted"),
    [
        ("x\ta\ny\n", 2, "a token, a tab and a tag"),
        ("x\ta\ny\tb\tc\n", 2, "a token, a tab and a tag"),
        ("x\ny\ta\n", 2, "a token alone"),
        ("x\ta\n\ny\n", 3, "a token, a tab and a tag"),
        ("x\ta\n\ta\n", 2, "a token, a tab and a tag"),
        ("x\ta\ny\t\n", 2, "a token, a tab and a tag"),
        ("1\tx\ta\n", 1, "a token, a tab and a tag"),
    ],
    ids=["no tag", "three columns", "tag comes", "tag goes", "no token", "empty tag", "three columns at once"],
)
def test_a_malformed_conll_line_names_file_and_line(content, line, wanted, write):
    path = write(content)
    with pytest.raises(DataError) as caught:
        list(read_conll(path))
    assert str(caught.value).startswith(f"{path}:{line}: expected {wanted}, found ")


def test_conll_reads_the_same_whatever_wrote_it(write):
    plain = [{"tokens": ["x", "y"], "tags": ["a", "b"]}, {"tokens": ["z"], "tags": ["a"]}]
    text = "x\ta\ny\tb\n\nz\ta\n"
    for content in (text, text + "\n\n", "\n" + text, text.rstrip(), text.replace("\n", "\r\n"), "\ufeff" + text):
        assert [record.fields for record in read_conll(write(content))] == plain
    assert [r.fields for r in read_conll(write("x\ny\n\nz"))] == [
        {"tokens": ["x", "y"], "tags": None},
        {"tokens": ["z"], "tags": None},
    ]


@settings(max_examples=50)
@given(
    sentences=st.lists(st.lists(st.tuples(WORD, WORD), min_size=1, max_size=5), max_size=4),
    tagged=st.booleans(),
    gap=st.sampled_from(["\n", "\n\n", " \n"]),
)
def test_conll_that_is_written_is_read_back(sentences, tagged, gap, folder):
    path = folder / "back.conll"
    line = "{}\t{}\n" if tagged else "{}\n"
    path.write_bytes(gap.join("".join(line.format(*row) for row in rows) for rows in sentences).encode())
    expected = [
        {"tokens": [word for word, _ in rows], "tags": [tag for _, tag in rows] if tagged else None}
        for rows in sentences
    ]
    assert [record.fields for record in read_conll(path)] == expected
