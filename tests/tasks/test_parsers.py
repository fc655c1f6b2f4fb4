"""Readers and parsers together: from the bytes of a file to examples, or to an error that names the place."""

import json
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lowres_stilts.data.conll import read_conll, without_language_prefix
from lowres_stilts.data.examples import ChoiceExample, Pool, Query, Question, TaggedSentence, TextExample
from lowres_stilts.data.readers import Record, read_jsonl, read_tsv
from lowres_stilts.data.squad import read_squad
from lowres_stilts.data.tables import read_csv, read_table, tsv
from lowres_stilts.errors import DataError
from lowres_stilts.tasks import choices
from lowres_stilts.tasks.classification import parse_nli, parse_text
from lowres_stilts.tasks.masked import parse_plain_text, read_text_lines
from lowres_stilts.tasks.qa import parse_squad
from lowres_stilts.tasks.retrieval import read_lareqa, read_mewslix, read_mining, read_parallel
from lowres_stilts.tasks.tagging import parse_tagged, read_tagged
from lowres_stilts.tasks.task import Task
from tests.records import FRAGMENTS, NLI, OBJECTS, PARAGRAPHS, VALUES


def task(family, reader=None, parser=None, **fields):
    labels = fields.pop("labels", ("a", "b", "1"))
    languages = fields.pop("languages", ("en",))
    return Task("mine", family, "", languages, "accuracy", reader, parser, labels=labels, **fields)


def pool(reader):
    """The queries of a retrieval task's reader."""
    mine = task("retrieval", pool=reader, languages=("x",))

    def read(path):
        found = mine.pool(path, mine, "x")
        assert type(found) is Pool
        return found.queries

    return read


PAIRS = task("classification", tsv(*NLI), parse_text, fields=("premise", "hypothesis"))
TAGS = task("tagging", read_tagged, parse_tagged, label_names={"A": "a"})
PARALLEL = pool(read_parallel)
CHOICES = {
    name: getattr(choices, name)
    for name in (
        "parse_plain", "parse_copa", "parse_csqa", "parse_siqa", "parse_hellaswag", "parse_cosmosqa",
        "parse_storycloze", "parse_belebele",
    )
}  # fmt: skip

READERS = {
    "read_tsv": (partial(read_tsv, columns=NLI, label="label"), "x.tsv", Record),
    "read_table": (read_table, "x.tsv", Record),
    "read_csv": (read_csv, "x.csv", Record),
    "read_jsonl": (read_jsonl, "x.jsonl", Record),
    "read_conll": (read_conll, "x.conll", Record),
    "read_tagged": (read_tagged, "x.conll", Record),
    "prefixed conll": (without_language_prefix(read_conll, ("x", "a")), "x.conll", Record),
    "text lines": (task("mlm", read_text_lines, parse_plain_text).read, "x.txt", TextExample),
    "texts jsonl": (task("mlm", read_text_lines, parse_plain_text).read, "x.jsonl", TextExample),
    "classification tsv": (PAIRS.read, "x.tsv", TextExample),
    "classification jsonl": (PAIRS.read, "x.jsonl", TextExample),
    "parse_nli": (task("classification", read_jsonl, parse_nli).read, "x.jsonl", TextExample),
    "tagging conll": (TAGS.read, "x.tsv", TaggedSentence),
    "tagging jsonl": (TAGS.read, "x.jsonl", TaggedSentence),
    "squad": (task("qa", read_squad, parse_squad).read, "x.json", Question),
    "squad jsonl": (task("qa", read_squad, parse_squad).read, "x.jsonl", Question),
    "retrieval files": (PARALLEL, "x.sw", Query),
    "retrieval tsv": (PARALLEL, "x.tsv", Query),
    "retrieval jsonl": (PARALLEL, "x.jsonl", Query),
    "mining": (pool(read_mining), "x.sw", Query),
    "lareqa": (pool(read_lareqa), "x.json", Query),
    "mewslix": (pool(read_mewslix), "x.jsonl", Query),
    **{name: (task("multiple_choice", read_jsonl, parse).read, "x.jsonl", ChoiceExample)
       for name, parse in CHOICES.items()},
}  # fmt: skip
every_reader = pytest.mark.parametrize("name", READERS)

WORD = st.text(
    st.characters(exclude_characters="\t\r\n\ufeff", exclude_categories=["Cs"]), min_size=1, max_size=12
).filter(str.strip)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("classification tsv", "x\ty\ta\nx\ty\tc\n", ":2: label 'c' is not one of a, b, 1"),
        ("classification tsv", "x\ty\t\n", ":1: label '' is not one of a, b, 1"),
        ("classification tsv", "x\t\ta\n", ":1: field 'hypothesis' is empty"),
        ("classification tsv", " \ty\ta\n", ":1: field 'premise' is empty"),
        ("classification jsonl", '{"premise": "x", "hypothesis": 3}', ":1: field 'hypothesis' must be a text"),
        (
            "classification jsonl",
            '{"premise": "x", "hypothesis": "y", "label": []}',
            ":1: label [] is not one of a, b, 1",
        ),
        *(
            ("parse_nli", json.dumps({field: "x"}), ":1: expected fields premise and hypothesis")
            for field in ("premise", "hypothesis", "sentence1")
        ),
        ("parse_nli", '{"premise": "x", "hypothesis": "y", "label": {}}', ":1: label {} is not one of a, b, 1"),
        (
            "squad",
            '{"data": [{"paragraphs": [{"qas": 1}]}]}',
            ":data[0].paragraphs[0]: expected a list 'qas', found 1",
        ),
        (
            "squad jsonl",
            '{"id": "1", "question": "x", "context": "y z", "answers": [{"text": "z", "answer_start": 1}]}',
            ":1: answer 'z' does not stand at character 1 of the context",
        ),
        (
            "squad jsonl",
            '{"id": "1", "question": "x", "context": "y z", "answers": []}',
            ":1: field 'answers' is empty, but every question of this task has an answer",
        ),
        ("parse_hellaswag", '{"ctx": "x", "endings": ["y", "z"], "label": "B"}', ":1: label 'B' is not a number"),
        ("classification jsonl", '{"premise": "x"}', ":1: field 'hypothesis' must be a text, found nothing"),
        ("tagging conll", "x\ta\n\ny\tb\nz\tc\n", ":4: tag 'c' is not one of a, b, 1"),
        ("tagging conll", "x\tB-a\n", ":1: tag 'B-a' is not one of a, b, 1; write labels as the tags are"),
        ("tagging jsonl", '\n{"tokens": ["x"], "tags": ["c"]}', ":2: tag 'c' is not one of a, b, 1"),
        ("tagging jsonl", '{"tokens": ["x", "y"], "tags": ["a", "c"]}', ":1: tag 'c' is not one of a, b, 1"),
        ("tagging jsonl", '{"tokens": ["x"], "tags": []}', ":1: field 'tags' must be a list of 1 tags"),
        ("tagging jsonl", '{"tokens": []}', ":1: field 'tokens' must be a list of words"),
        ("tagging jsonl", '{"tokens": ["x", ""]}', ":1: token '' is blank; expected a word"),
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


@pytest.mark.parametrize(
    ("name", "fields", "example"),
    [
        ("parse_nli", {"premise": "x", "hypothesis": "y", "label": "a"}, TextExample("x", "y", "a")),
        ("parse_nli", {"context": "x", "hypothesis": "y", "label": 1}, TextExample("x", "y", "1")),
        ("parse_nli", {"sentence1": "x", "sentence2": "y", "gold_label": "a"}, TextExample("x", "y", "a")),
        ("tagging jsonl", {"tokens": ["x", "y"], "tags": ["b", "A"]}, TaggedSentence(("x", "y"), ("b", "a"))),
        ("tagging jsonl", {"tokens": ["x", "y"]}, TaggedSentence(("x", "y"), None)),
    ],
)
def test_every_spelling_of_fields_and_labels_is_read(name, fields, example, write):
    read, file, _ = READERS[name]
    assert list(read(write(json.dumps(fields), file))) == [example]


def test_parallel_files_of_unequal_length_or_with_gaps_are_refused(tmp_path, write):
    source = write("x\ny\n", "x-en.sw")
    english = write("a\n", "x-en.en")
    with pytest.raises(DataError, match=r"x-en\.sw: has 2 lines, but x-en\.en has 1"):
        PARALLEL(source)
    write("a\n\n", "x-en.en")
    with pytest.raises(DataError) as caught:
        PARALLEL(source)
    assert str(caught.value).startswith(f"{english}:2: ")
    english.unlink()
    with pytest.raises(DataError, match=r"x-en\.en: no such file"):
        PARALLEL(source)


@pytest.mark.parametrize("field", ["premise", "hypothesis"])
def test_a_text_that_is_no_unicode_text_is_refused(field, write):
    fields = {"premise": "x", "hypothesis": "y", "label": "a", field: "\ud83d"}
    with pytest.raises(DataError):
        list(PAIRS.read(write(json.dumps(fields), "x.jsonl")))


def only_records_or_a_data_error(name, content, folder):
    read, file, kind = READERS[name]
    path = folder / file
    path.write_bytes(content)
    path.with_suffix(".en").write_bytes(content.replace(b"x", b"y"))
    path.with_name("candidate_set_entities.jsonl").write_bytes(content)
    try:
        records = list(read(path))
    except DataError as error:
        assert str(error).startswith(str(folder))
        assert "\n" not in str(error)
        return
    assert all(type(record) is kind for record in records)


@every_reader
@given(content=st.binary(max_size=60) | st.lists(st.sampled_from(FRAGMENTS), max_size=12).map(b"".join))
def test_any_bytes_give_records_or_a_data_error(name, content, folder):
    only_records_or_a_data_error(name, content, folder)


@pytest.mark.parametrize("name", [name for name, (_, file, _) in READERS.items() if file == "x.jsonl"])
@given(objects=st.lists(OBJECTS, min_size=1, max_size=2))
def test_any_json_objects_give_records_or_a_data_error(name, objects, folder):
    lines = "\n".join(map(json.dumps, objects))
    only_records_or_a_data_error(name, lines.encode(), folder)


@example(pairs=[("{", "a"), ("b", "c")], parallel=True)
@example(pairs=[("[", "a")], parallel=True)
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
    expected = [pair for pair in pairs if parallel or pair != header]
    found = read_parallel(path, task("retrieval"), "sw")
    read = zip(found.queries, found.candidates, strict=True)
    assert [(query.passage.text, candidate.text) for query, candidate in read] == expected
    assert [query.answers for query in found.queries] == [(candidate.id,) for candidate in found.candidates]
    assert len({candidate.id for candidate in found.candidates}) == len(expected)


@given(paragraphs=st.lists(PARAGRAPHS | VALUES, min_size=1, max_size=2), name=st.sampled_from(["squad", "lareqa"]))
def test_any_document_gives_questions_or_a_data_error(paragraphs, name, folder):
    document = {"version": "1.1", "data": [{"title": "", "paragraphs": paragraphs}]}
    only_records_or_a_data_error(name, json.dumps(document).encode(), folder)
