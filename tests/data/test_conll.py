import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.data.conll import place_of_token, read_conll, without_language_prefix
from lowres_stilts.data.readers import Record
from lowres_stilts.errors import DataError
from lowres_stilts.tasks.tagging import read_tagged

CELL = st.text(st.characters(exclude_characters="\t\r\n\ufeff", exclude_categories=["Cs"]), max_size=12)
WORD = CELL.filter(str.strip)
ALONE = WORD.filter(lambda word: not set(word) & set(" ,;|"))


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
        list(without_language_prefix(read_tagged, ("en", "sw"))(path))
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


@given(
    table=st.lists(st.lists(st.tuples(WORD, WORD), min_size=1, max_size=5), max_size=4).map(
        lambda rows: (rows, True)
    )
    | st.lists(st.lists(st.tuples(ALONE), min_size=1, max_size=5), max_size=4).map(lambda rows: (rows, False)),
    gap=st.sampled_from(["\n", "\n\n", " \n"]),
)
def test_conll_that_is_written_is_read_back(table, gap, folder):
    rows_of, tagged = table
    path = folder / "back.conll"
    path.write_bytes(gap.join("".join("\t".join(row) + "\n" for row in rows) for rows in rows_of).encode())
    expected = [
        {"tokens": [row[0] for row in rows], "tags": [row[1] for row in rows] if tagged else None}
        for rows in rows_of
    ]
    assert sentences(read_conll(path)) == expected


NER = [{"tokens": ["Juma", "alifika"], "tags": ["B-PER", "O"]}, {"tokens": ["Leo"], "tags": ["O"]}]


@pytest.mark.parametrize(
    "content",
    [
        "Juma\tB-PER\nalifika\tO\n\nLeo\tO\n\n\n",
        "Juma B-PER\nalifika O\n\nLeo O\n",
        "Juma  B-PER\nalifika  O\n\nLeo  O",
        "-DOCSTART- -X- -X- O\n\nJuma NNP B-NP B-PER\nalifika VB O O\n\nLeo RB O O\n",
        "# text = Juma alifika\n1\tJuma\tB-PER\t-\tx\n2\talifika\tO\t-\tx\n\n# text = Leo\n1\tLeo\tO\t-\tx\n",
    ],
    ids=["tabs", "spaces", "two spaces", "CoNLL-2003", "Universal NER"],
)
def test_layouts_of_named_entities_read_the_same(content, write):
    assert sentences(read_tagged(write(content, "x.txt"))) == NER


def test_conllu_gives_words_and_upos(write):
    row = "\t_\t{}\t_\t_\t0\troot\t_\t_\n"
    rows = ["1-2\tdel" + row.format("_"), "1\tde" + row.format("ADP"), "2\tel" + row.format("DET")]
    path = write("# sent_id = 1\n" + "".join(rows) + "2.1\tx" + row.format("X"), "x.conllu")
    assert sentences(read_tagged(path)) == [{"tokens": ["de", "el"], "tags": ["ADP", "DET"]}]


@pytest.mark.parametrize(
    ("content", "line", "wanted"),
    [
        ("Juma,B-PER\nalifika,O\n", 1, "a token, a tab and a tag"),
        ("Juma;B-PER\nalifika;O\n", 1, "a token, a tab and a tag"),
        ("token,tag\nJuma,B-PER\n", 1, "a token, a tab and a tag"),
        ("Juma\tB-PER\n# alifika\n", 2, "a token, a tab and a tag"),
        ("Juma\tB-PER\n\n#alifika\n", 3, "a token, a tab and a tag"),
        ("Juma\nali fika\n", 2, "a token alone"),
        ("a b c d\na b c\n", 2, "4 columns with a space between"),
        ("a b c\n", 1, "a token, a space and a tag"),
    ],
)
def test_what_is_no_file_of_tokens_is_never_taken_for_one(content, line, wanted, write):
    path = write(content)
    with pytest.raises(DataError) as caught:
        list(read_tagged(path))
    assert str(caught.value).startswith(f"{path}:{line}: expected {wanted}, found ")


MULTICONER = "# id 7f domain=en\n2.5 _ _ O\n1990-95 _ _ O\n# _ _ O\n#1 _ _ B-PER\n\n# id 8a domain=en\nLeo _ _ O\n"


def test_a_comment_is_told_from_a_token_that_begins_with_a_hash(write):
    assert sentences(read_conll(write(MULTICONER, "x.conll"))) == [
        {"tokens": ["2.5", "1990-95", "#", "#1"], "tags": ["O", "O", "O", "B-PER"]},
        {"tokens": ["Leo"], "tags": ["O"]},
    ]
    assert sentences(read_conll(write("# O\nJuma B-PER\n"))) == [{"tokens": ["#", "Juma"], "tags": ["O", "B-PER"]}]
    path = write("# a comment\n#\tO\nJuma\tB-PER\n\n# another\nLeo\tO\n")
    assert sentences(read_conll(path)) == [
        {"tokens": ["#", "Juma"], "tags": ["O", "B-PER"]},
        {"tokens": ["Leo"], "tags": ["O"]},
    ]


def test_a_token_of_several_words_may_come_first(write):
    row = "\t_\t{}\t_\t_\t0\troot\t_\t_\n"
    lines = ["1-2\tdel" + row.format("_"), "1\tde" + row.format("ADP"), "2\tel" + row.format("DET")]
    assert sentences(read_conll(write("".join(lines)))) == [{"tokens": ["de", "el"], "tags": ["ADP", "DET"]}]


def test_a_token_may_have_a_comma_or_a_hash(write):
    assert sentences(read_tagged(write("1,000\nkm\n"))) == [{"tokens": ["1,000", "km"], "tags": None}]
    assert sentences(read_tagged(write("#\tSYM\n"))) == [{"tokens": ["#"], "tags": ["SYM"]}]
