import json
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowres_stilts.data.examples import ChoiceExample, SentencePair, TaggedSentence, TextExample
from lowres_stilts.data.readers import Record, read_conll, read_jsonl, read_lines, read_tsv
from lowres_stilts.errors import DataError
from lowres_stilts.tasks.classification import text_reader
from lowres_stilts.tasks.multiple_choice import (
    choice_reader,
    parse_copa,
    parse_csqa,
    parse_plain,
    parse_siqa,
)
from lowres_stilts.tasks.retrieval import read_parallel
from lowres_stilts.tasks.tagging import read_tagged
from lowres_stilts.tasks.task import Task

BOM = "\ufeff".encode()
NLI = ["premise", "hypothesis", "label"]


def task(family, reader, labels=("a", "b", "1")):
    return Task("mine", family, "", ("en",), "accuracy", reader, labels=labels)


def choices(parse):
    return task("multiple_choice", choice_reader(parse))


PAIRS = task("classification", text_reader("premise", "label", pair="hypothesis"))
TAGS = task("tagging", read_tagged)
PARALLEL = task("retrieval", read_parallel)

READERS = {
    "read_tsv": (partial(read_tsv, columns=NLI, label="label"), "x.tsv", Record),
    "read_jsonl": (read_jsonl, "x.jsonl", Record),
    "read_conll": (read_conll, "x.conll", Record),
    "classification tsv": (partial(PAIRS.reader, task=PAIRS), "x.tsv", TextExample),
    "classification jsonl": (partial(PAIRS.reader, task=PAIRS), "x.jsonl", TextExample),
    "tagging conll": (partial(TAGS.reader, task=TAGS), "x.tsv", TaggedSentence),
    "tagging jsonl": (partial(TAGS.reader, task=TAGS), "x.jsonl", TaggedSentence),
    "retrieval files": (partial(PARALLEL.reader, task=PARALLEL), "x.sw", SentencePair),
    "retrieval tsv": (partial(PARALLEL.reader, task=PARALLEL), "x.tsv", SentencePair),
    "retrieval jsonl": (partial(PARALLEL.reader, task=PARALLEL), "x.jsonl", SentencePair),
    **{
        parse.__name__: (partial(choices(parse).reader, task=choices(parse)), "x.jsonl", ChoiceExample)
        for parse in (parse_plain, parse_copa, parse_csqa, parse_siqa)
    },
}
every_reader = pytest.mark.parametrize("name", READERS)

FRAGMENTS = [
    b"\t", b"\n", b"\r\n", b"\r", BOM, b"\xff", b"\xc3", b"\x00", b" ", b"a", b"b", b'"', b"{", b"}", b"[",
    b"premise\thypothesis\tlabel", b"x\ty\ta", "\u2028\x85".encode(), b'{"source": "x", "english": "y"}',
    b'{"tokens": ["x"], "tags": ["a"]}', b'{"prompt": "x", "choices": ["y", "z"], "label": 1}',
]  # fmt: skip
FIELDS = [
    *NLI, "tokens", "tags", "prompt", "choices", "source", "english", "question", "choice1", "choice2", "context",
    "answerA", "answerB", "answerC", "correct", "answerKey", "stem", "text",
]  # fmt: skip
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1, 5)
    | st.floats()
    | st.sampled_from(["", " ", "a", "A", "cause", "x y"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3),
    max_leaves=8,
)
SOUND = [
    {"premise": "x", "hypothesis": "y", "label": "a"},
    {"tokens": ["x"], "tags": ["a"]},
    {"source": "x", "english": "y"},
    {"prompt": "x", "choices": ["y", "z"], "label": 1},
    {"premise": "x", "question": "cause", "choice1": "y", "choice2": "z", "label": 0},
    {"context": "x", "question": "y", "answerA": "1", "answerB": "2", "answerC": "3", "correct": "A"},
]
QUESTIONS = st.fixed_dictionaries(
    {"stem": VALUES, "choices": st.lists(VALUES | st.fixed_dictionaries({"label": VALUES, "text": VALUES}))}
)
CHANGES = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=2)
OBJECTS = (
    st.builds(lambda sound, changes: sound | changes, st.sampled_from(SOUND), CHANGES)
    | st.builds(lambda question, answer: {"question": question, "answerKey": answer}, QUESTIONS, VALUES)
    | st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4)
)
CELL = st.text(st.characters(exclude_characters="\t\r\n\ufeff", exclude_categories=["Cs"]), max_size=12)
WORD = CELL.filter(str.strip)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def write(tmp_path):
    def write(content, name="x.tsv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


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
    sentences = "\n\nx\ta\ny\tb\n\n \nz\ta"
    assert [record.line for record in read_conll(write(sentences))] == [3, 7]


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
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
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


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("classification tsv", "x\ty\ta\nx\ty\tc\n", ":2: label 'c' is not one of a, b, 1"),
        ("classification tsv", "x\ty\t\n", ":1: label '' is not one of a, b, 1"),
        ("classification tsv", "x\t\ta\n", ":1: field 'hypothesis' is empty"),
        ("classification tsv", " \ty\ta\n", ":1: field 'premise' is empty"),
        ("classification jsonl", '{"premise": "x", "hypothesis": 3}', ":1: field 'hypothesis' must be a text"),
        ("classification jsonl", '{"premise": "x"}', ":1: field 'hypothesis' must be a text, found nothing"),
        ("tagging conll", "x\ta\n\ny\tb\nz\tc\n", ":4: tag 'c' is not one of a, b, 1"),
        ("tagging jsonl", '\n{"tokens": ["x"], "tags": ["c"]}', ":2: tag 'c' is not one of a, b, 1"),
        ("tagging jsonl", '{"tokens": ["x"], "tags": []}', ":1: field 'tags' must be a list of 1 tags"),
        ("tagging jsonl", '{"tokens": []}', ":1: field 'tokens' must be a list of words"),
        ("tagging jsonl", '{"tokens": ["x", ""]}', ":1: field 'tokens' must be a list of words"),
        ("retrieval tsv", "x\ty\nz\n", ":2: expected 2 tab-separated columns (source, english), found 1"),
        ("retrieval tsv", "x\t \n", ":1: field 'english' is empty"),
        ("parse_plain", '{"prompt": "x", "choices": ["y"]}', ":1: field 'choices' must be a list of at least two"),
        ("parse_plain", '{"prompt": "x", "choices": ["y", ""]}', ":1: every choice must be a text"),
        ("parse_plain", '{"prompt": "x", "choices": ["y", "z"], "label": 2}', ":1: label 2 is not the index"),
        ("parse_plain", '{"prompt": "x", "choices": ["y", "z"], "label": true}', ":1: label True is not"),
        ("parse_plain", '{"prompt": "x", "choices": ["y", "z"], "label": "1"}', ":1: label '1' is not the index"),
        ("parse_copa", '{"premise": "x", "question": "why"}', ":1: question 'why' is neither cause nor effect"),
        ("parse_csqa", '{"question": "x"}', ":1: expected a field 'question' with a 'stem'"),
        (
            "parse_csqa",
            '{"question": {"stem": "x", "choices": [{"label": "A"}, {"label": "B"}]}, "answerKey": "C"}',
            ":1: answer 'C' is not one of A, B",
        ),
        (
            "parse_siqa",
            '{"context": "x", "question": "y", "answerA": "1", "answerB": "2", "answerC": "3", "correct": "D"}',
            ":1: answer 'D' is not one of A, B, C",
        ),
        (
            "parse_siqa",
            '{"context": "x", "question": "y", "answerA": "1", "answerB": "2"}',
            ":1: field 'answerC' must be a text, found nothing",
        ),
    ],
)  # fmt: skip
def test_a_wrong_field_names_file_line_and_field(name, content, problem, write):
    read, file, _ = READERS[name]
    path = write(content, file)
    with pytest.raises(DataError) as caught:
        list(read(path))
    assert str(caught.value).startswith(f"{path}{problem}")
    assert "\n" not in str(caught.value)


def test_parallel_files_of_unequal_length_or_with_gaps_are_refused(tmp_path, write):
    source = write("x\ny\n", "x-en.sw")
    english = write("a\n", "x-en.en")
    with pytest.raises(DataError, match=r"x-en\.sw: has 2 lines, but x-en\.en has 1"):
        list(PARALLEL.reader(source, PARALLEL))
    write("a\n\n", "x-en.en")
    with pytest.raises(DataError) as caught:
        list(PARALLEL.reader(source, PARALLEL))
    assert str(caught.value).startswith(f"{english}:2: ")
    english.unlink()
    with pytest.raises(DataError, match=r"x-en\.en: no such file"):
        list(PARALLEL.reader(source, PARALLEL))


@pytest.mark.parametrize("field", ["premise", "hypothesis"])
def test_a_text_that_is_no_unicode_text_is_refused(field, write):
    fields = {"premise": "x", "hypothesis": "y", "label": "a", field: "\ud83d"}
    with pytest.raises(DataError):
        list(PAIRS.reader(write(json.dumps(fields), "x.jsonl"), PAIRS))


def only_records_or_a_data_error(name, content, folder):
    read, file, kind = READERS[name]
    path = folder / file
    path.write_bytes(content)
    path.with_suffix(".en").write_bytes(content.replace(b"x", b"y"))
    try:
        records = list(read(path))
    except DataError as error:
        assert str(error).startswith(str(folder))
        assert "\n" not in str(error)
        return
    assert all(type(record) is kind for record in records)


@every_reader
@settings(max_examples=40)
@given(content=st.binary(max_size=60) | st.lists(st.sampled_from(FRAGMENTS), max_size=12).map(b"".join))
def test_any_bytes_give_records_or_a_data_error(name, content, folder):
    only_records_or_a_data_error(name, content, folder)


@pytest.mark.parametrize("name", [name for name, (_, file, _) in READERS.items() if file == "x.jsonl"])
@settings(max_examples=50)
@given(objects=st.lists(OBJECTS, min_size=1, max_size=2))
def test_any_json_objects_give_records_or_a_data_error(name, objects, folder):
    lines = "\n".join(map(json.dumps, objects))
    only_records_or_a_data_error(name, lines.encode(), folder)


@settings(max_examples=50)
@given(table=st.lists(st.tuples(CELL, CELL, CELL), max_size=5))
def test_tsv_that_is_written_is_read_back(table, folder):
    path = folder / "back.tsv"
    path.write_bytes("".join("\t".join(row) + "\n" for row in table).encode())
    assert rows(path, ("a", "b", "c")) == [list(row) for row in table if row != ("a", "b", "c")]


@settings(max_examples=50)
@given(
    objects=st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none()), max_size=5),
    ascii_only=st.booleans(),
)
def test_jsonl_that_is_written_is_read_back(objects, ascii_only, folder):
    path = folder / "back.jsonl"
    path.write_bytes("".join(json.dumps(fields, ensure_ascii=ascii_only) + "\n" for fields in objects).encode())
    assert [record.fields for record in read_jsonl(path)] == objects


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


@settings(max_examples=60)
@given(pairs=st.lists(st.tuples(WORD, WORD), max_size=5), parallel=st.booleans())
def test_sentence_pairs_that_are_written_are_read_back(pairs, parallel, folder):
    if parallel:
        path = folder / "back-en.sw"
        path.write_bytes("".join(f"{source}\n" for source, _ in pairs).encode())
        path.with_suffix(".en").write_bytes("".join(f"{english}\n" for _, english in pairs).encode())
    else:
        path = folder / "pairs.tsv"
        path.write_bytes("".join(f"{source}\t{english}\n" for source, english in pairs).encode())
    header = ("source", "english")
    expected = [SentencePair(*pair) for pair in pairs if parallel or pair != header]
    assert list(PARALLEL.reader(path, PARALLEL)) == expected
