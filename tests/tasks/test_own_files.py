"""Files of another format than their name or recipe says: read right, or refused, and never unlabelled text."""

import json

import pytest

from lowres_stilts.data.examples import Question, TaggedSentence, TextExample
from lowres_stilts.errors import DataError
from lowres_stilts.recipe.data import CustomTask
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.load import custom_task
from lowres_stilts.tasks.source import FolderSource

TICKET = {"family": "classification", "languages": ["sw"], "labels": ["billing", "outage"]}
NER = {"family": "tagging", "languages": ["sw"], "labels": ["O", "B-PER", "I-PER"]}
QA = {"family": "qa", "languages": ["sw"]}
CHOICE = {"family": "multiple_choice", "languages": ["sw"]}
ROWS = [{"text": "Ankara yangu", "label": "billing"}, {"text": "Mtandao, tena", "label": "outage"}]
EXAMPLES = [TextExample(row["text"], None, row["label"]) for row in ROWS]
LINES = "".join(f"{json.dumps(row)}\n" for row in ROWS)
CSV = 'text,label\nAnkara yangu,billing\n"Mtandao, tena",outage\n'
TAGGED = [TaggedSentence(("Juma", "Kaanan"), ("B-PER", "I-PER")), TaggedSentence(("alifika",), ("O",))]
ASKED = {"id": "7", "question": "who?", "context": "the cat"}


@pytest.fixture
def read(write):
    def read(task, content, name):
        path = write(content, name)
        found = custom_task("mine", CustomTask(**task)) if isinstance(task, dict) else task
        return list(FolderSource(path.parent, {found.name: {"test": name}}).examples(found, "test", "sw"))

    return read


@pytest.fixture
def refusal(read, tmp_path):
    def refusal(*arguments):
        with pytest.raises(DataError) as caught:
            read(*arguments)
        message = str(caught.value)
        assert "\n" not in message
        return message.removeprefix(f"{tmp_path}/")

    return refusal


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *((name, LINES) for name in ("x.jsonl", "x.ndjson", "x.JSONL", "x.json", "x.txt", "x.tsv", "x.csv", "x")),
        *((name, json.dumps(ROWS)) for name in ("x.json", "x.JSON", "x.txt", "x.csv", "x.jsonl")),
        *((name, json.dumps(ROWS, indent=2)) for name in ("x.json", "x.txt", "x.tsv")),
        *((name, CSV) for name in ("x.csv", "x.CSV", "x.txt", "x.tsv")),
        *(
            (name, CSV.replace(",", ";", 1).replace("yangu,", "yangu;").replace('",', '";'))
            for name in ("x.csv", "x.txt")
        ),
        ("x.csv", "sep=,\n" + CSV),
        ("x.csv", "\ufeff" + CSV.replace("\n", "\r\n") + "\r\n\r\n"),
        ("x.csv", 'Label,TEXT\nbilling,Ankara yangu\noutage,"Mtandao, tena"\n'),
        ("x.csv", ',text,label\n0,Ankara yangu,billing\n1,"Mtandao, tena",outage\n'),
        ("x.tsv", "Ankara yangu\tbilling\nMtandao, tena\toutage\n\n \n"),
        ("x.tsv", '"Ankara yangu"\tbilling\r\n"Mtandao, tena"\toutage\r\n'),
    ],
)
def test_labelled_texts_are_read_whatever_the_file_is_called(name, content, read):
    assert read(TICKET, content, name) == EXAMPLES


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("x.txt", "x y,billing\nz,outage\n", ":2: expected a text, a tab and a label, found 'z,outage'"),
        ("x.tsv", "billing | x y\noutage | z\n", ":2: expected a text, a tab and a label, found 'outage | z'"),
        ("x.txt", "review,mood\nx y,billing\nz,outage\n", ":2: expected a text, a tab and a label"),
        ("x.csv", "text,mood\nx y,billing\nz,outage\n", ": no column 'label', but 'mood' has labels; set tasks"),
        ("x.csv", "text,sentiment\nx y,pos\n", ":2: no field 'label', but 'sentiment'; set the task's"),
        ("x.csv", "review,mood\nx y,billing\n", ":1: label 'mood' is not one of billing, outage; where"),
        ("x.csv", "sentence\nx y\n", ":1: expected a first line that names the columns text, label"),
        ("x.jsonl", '{"text": "x", "category": "billing"}\n', ":1: no field 'label', but 'category'"),
        ("x.jsonl", '{"text": "x", "mood": "billing"}\n', ": no column 'label', but 'mood' has labels"),
        ("x.json", '{"data": []}', ":1: field 'text' must be a text, found nothing"),
        ("x.json", '{\n"data": []}', ":1: expected an object in each line, or a list of objects, found '{'"),
        ("x.txt", "__label__billing x y\n", ":1: expected a text, a tab and a label, found a line for fastText"),
        ("x.txt", "<?xml version='1.0'?>\n<a/>\n", ":1: expected texts, found \"<?xml version='1.0'?>\""),
        ("x.txt", "Juma B-PER\n\nalifika O\n", ":2: field 'text' is empty"),
        ("x.tsv", "x\tbilling\n\ny\toutage\n", ":2: expected 2 tab-separated columns (text, label), found 1"),
        ("x.tsv", '"x\ny"\n"z"\n', ":1: a quote opens here and closes in line 2"),
        ("x.csv", b"PK\x03\x04\x14", ":1: expected text in UTF-8, found a ZIP file, which an Excel sheet is, too"),
        ("x.tsv", "x\tbilling\n".encode("utf-16"), ":1: expected text in UTF-8, found UTF-16"),
    ],
)  # fmt: skip
def test_what_would_be_unlabelled_text_is_refused(name, content, problem, refusal):
    assert refusal(TICKET, content, name).startswith(f"{name}{problem}")


def test_a_refusal_says_what_to_set(refusal):
    content = "review,mood\nx y,billing\n"
    assert refusal(TICKET, content, "x.csv").endswith("set the task's columns: {text: review, label: mood}")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.txt", "x, y\nz; billing is what I mean\n"),
        ("x.tsv", "text\nx, y\nz; billing is what I mean\n"),
        ("x.csv", 'id,text\n1,"x, y"\n2,z; billing is what I mean\n'),
    ],
)
def test_texts_without_labels_stay_so(name, content, read):
    texts = ("x, y", "z; billing is what I mean")
    assert read(TICKET, content, name) == [TextExample(text, None, None) for text in texts]


@pytest.mark.parametrize("name", ["x.txt", "x.tsv", "x.conll", "x.TXT"])
@pytest.mark.parametrize(
    "content",
    [
        "Juma\tB-PER\nKaanan\tI-PER\n\nalifika\tO\n",
        "Juma B-PER\nKaanan I-PER\n\nalifika O\n\n\n",
        "Juma NNP B-NP B-PER\nKaanan NNP I-NP I-PER\n\nalifika VB B-VP O\n",
        '{"tokens":["Juma","Kaanan"],"tags":["B-PER","I-PER"]}\n{"tokens":["alifika"],"tags":["O"]}\n',
    ],
    ids=["tabs", "spaces", "four columns", "JSON lines"],
)
def test_tagged_words_are_read_whatever_the_file_is_called(name, content, read):
    assert read(NER, content, name) == TAGGED
    assert read(REGISTRY["masakhaner"], content, name) == TAGGED


@pytest.mark.parametrize("name", ["x.txt", "x.csv"])
@pytest.mark.parametrize(
    "content", ["Juma,B-PER\nalifika,O\n", "Juma;B-PER\n\nalifika;O\n", "token,tag\nJuma,B-PER\n"]
)
def test_words_and_tags_with_commas_between_are_no_words(name, content, refusal):
    assert refusal(NER, content, name).startswith(f"{name}:1: expected a token, a tab and a tag, found ")


def test_words_without_tags_may_be_commas(read):
    assert read(NER, "Juma\n,\n1,000\n", "x.txt") == [TaggedSentence(("Juma", ",", "1,000"), None)]


@pytest.mark.parametrize(
    ("name", "content"),
    [("x.json", json.dumps(ASKED)), ("x.json", json.dumps([ASKED])), ("x.NDJSON", json.dumps(ASKED)),
     ("x.txt", json.dumps({"data": [{"paragraphs": [{"context": "the cat", "qas": [ASKED]}]}]}, indent=1))],
)  # fmt: skip
def test_questions_are_read_from_any_json(name, content, read):
    assert read(QA, content, name) == [Question("7", "who?", "the cat", None)]


@pytest.mark.parametrize("task", [QA, CHOICE])
def test_what_must_be_json_says_so(task, refusal):
    found = refusal(task, "prompt,label\nx,1\n", "x.csv")
    assert found == "x.csv:1: expected JSON, found 'prompt,label'; write an object in each line, or a list of them"


def test_tasks_of_the_catalogue_read_other_formats_too(read, refusal):
    nli = [TextExample("a", "b", "neutral")]
    assert read(REGISTRY["xnli"], "premise,hypothesis,label\na,b,neutral\n", "x.csv") == nli
    assert read(REGISTRY["xnli"], '[{"premise": "a", "hypothesis": "b", "label": "neutral"}]', "x.json") == nli
    topic = REGISTRY["starter-topic"]
    assert read(topic, "text,label\nx,food\n", "x.txt") == [TextExample("x", None, "food")]
    assert "found 'y,food'" in refusal(topic, "x,food\ny,food\n", "x.txt")


def test_quotes_in_tsv_are_characters_in_tasks_of_the_catalogue(read):
    content = '"x ""q"" y"\t"b"\tneutral\n'
    assert read(REGISTRY["xnli"], content, "x.tsv") == [TextExample('"x ""q"" y"', '"b"', "neutral")]
    own = {"family": "classification", "languages": ["sw"], "labels": ["neutral", "other"], "pair": True}
    assert read(own, content, "x.tsv") == [TextExample('x "q" y', "b", "neutral")]
    assert read({**own, "quoting": "none"}, content, "x.tsv") == [TextExample('"x ""q"" y"', '"b"', "neutral")]


def test_a_cell_in_quotes_may_go_over_lines(read):
    assert read(TICKET, '"x\ny"\tbilling\nz\toutage\n', "x.tsv") == [
        TextExample("x\ny", None, "billing"), TextExample("z", None, "outage")
    ]  # fmt: skip
    assert read({**TICKET, "quoting": "minimal"}, '"x\ny"\n', "x.tsv") == [TextExample("x\ny", None, None)]
    odd = '"x\tbilling\ny"\toutage\n'  # each line has a quote of its own
    assert read(TICKET, odd, "x.tsv") == [TextExample('"x', None, "billing"), TextExample('y"', None, "outage")]
