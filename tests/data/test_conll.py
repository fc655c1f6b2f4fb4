import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowres_stilts.data.conll import place_of_token, read_any_conll, read_conll, without_language_prefix
from lowres_stilts.data.readers import Record
from lowres_stilts.errors import DataError

CELL = st.text(st.characters(exclude_characters="\t\r\n\ufeff", exclude_categories=["Cs"]), max_size=12)
WORD = CELL.filter(str.strip)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def sentences(records):
    return [record.fields for record in records]


def test_sentences_stand_at_the_line_of_their_first_token(write):
    text = "\n\nx\ta\ny\tb\n\n \nz\ta"
    assert [record.line for record in read_conll(write(text))] == [3, 7]


def test_a_token_stands_on_its_own_line_or_with_its_sentence(write, tmp_path):
    (first, second) = read_conll(write("x\ta\ny\tb\n\nz\ta\n"))
    assert [place_of_token(first, index).line for index in (0, 1)] == [1, 2]
    assert place_of_token(second, 0).line == 4
    row = Record(tmp_path, 7, {"tokens": ["x", "y"], "lines": [1, 2]})  # as the Hub or JSON lines may have it
    assert place_of_token(row, 1) is row


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("x.conll", "en:x\ta\n\nen:y\tb\nz\ta\n", 4),
        ("x.jsonl", '{"tokens": ["en:x"]}\n{"tokens": ["en:y", "z"]}\n', 2),
    ],
)
def test_a_token_without_the_prefix_that_the_others_have_names_its_line(name, content, line, write):
    path = write(content, name)
    with pytest.raises(DataError) as caught:
        list(without_language_prefix(read_any_conll, ("en", "sw"))(path))
    assert str(caught.value) == f"{path}:{line}: expected a token with its language, such as en:word"


@pytest.mark.parametrize(
    ("content", "line", "wanted"),
    [
        ("x\ta\ny\n", 2, "a token, a tab and a tag"),
        ("x\ta\ny\tb\tc\n", 2, "a token, a tab and a tag"),
        ("x\ny\ta\n", 2, "a token alone"),
        ("x\ta\n\ny\n", 3, "a token, a tab and a tag"),
        ("x\ta\ny\t\n", 2, "a token, a tab and a tag"),
        ("1\tx\ta\n", 1, "a token, a tab and a tag"),
    ],
    ids=["no tag", "three columns", "tag comes", "tag goes", "empty tag", "three columns at once"],
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
        assert sentences(read_conll(write(content))) == plain
    assert sentences(read_conll(write("x\ny\n\nz"))) == [
        {"tokens": ["x", "y"], "tags": None},
        {"tokens": ["z"], "tags": None},
    ]


@settings(max_examples=50)
@given(
    rows_of=st.lists(st.lists(st.tuples(WORD, WORD), min_size=1, max_size=5), max_size=4),
    tagged=st.booleans(),
    gap=st.sampled_from(["\n", "\n\n", " \n"]),
)
def test_conll_that_is_written_is_read_back(rows_of, tagged, gap, folder):
    path = folder / "back.conll"
    line = "{}\t{}\n" if tagged else "{}\n"
    path.write_bytes(gap.join("".join(line.format(*row) for row in rows) for rows in rows_of).encode())
    expected = [
        {"tokens": [word for word, _ in rows], "tags": [tag for _, tag in rows] if tagged else None}
        for rows in rows_of
    ]
    assert sentences(read_conll(path)) == expected
