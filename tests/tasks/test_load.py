import json
from pathlib import Path

import pytest

from lowres_stilts.data.examples import (
    Answer,
    ChoiceExample,
    Passage,
    Pool,
    Query,
    Question,
    TaggedSentence,
    TextExample,
)
from lowres_stilts.data.starter import starter_data_dir
from lowres_stilts.data.tables import tsv
from lowres_stilts.errors import DataError, RecipeError
from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.recipe.data import CustomTask, DataSettings
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.classification import parse_text
from lowres_stilts.tasks.load import METRIC_OF_FAMILY, custom_task, find_languages, find_task, open_source
from lowres_stilts.tasks.source import FolderSource, HubSource
from lowres_stilts.tasks.task import Task

PAWSX, MNLI = REGISTRY["pawsx"], REGISTRY["mnli"]
PAIR = TextExample("a b", "b a", "1")
MINE = CustomTask(family="multiple_choice", languages=["sw", "no"])


def load(source, *wanted):
    return list(source.examples(*wanted))


@pytest.fixture
def pawsx(tmp_path):
    """Two languages of PAWS-X for testing, and English to train on."""
    (tmp_path / "pawsx").mkdir()
    for name in ("test-ko", "test-de", "train-en"):
        (tmp_path / "pawsx" / f"{name}.tsv").write_text("a b\tb a\t1\n")
    return FolderSource(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("xnly", "target.task: unknown task 'xnly'; did you mean 'xnli'?"),
        ("myown", "target.task: unknown task 'myown'; did you mean 'my-own'?"),
        ("qqqq", "target.task: unknown task 'qqqq'; `lowres-stilts tasks` lists them"),
        ("", "target.task: unknown task ''; `lowres-stilts tasks` lists them"),
        ("XNLI", "target.task: unknown task 'XNLI'; `lowres-stilts tasks` lists them"),
    ],
)
def test_an_unknown_task_is_named_with_the_nearest(name, message):
    with pytest.raises(RecipeError) as caught:
        find_task(name, {"my-own": MINE}, "target.task")
    assert str(caught.value) == message


def test_the_recipes_own_tasks_come_before_the_registrys():
    assert find_task("xnli", {}, "target.task") is REGISTRY["xnli"]
    own = find_task("xnli", {"xnli": MINE}, "target.task")
    assert (own.name, own.family, own.languages) == ("xnli", "multiple_choice", ("sw", "no"))


def test_all_languages_are_those_with_files_in_the_tasks_order(pawsx):
    assert find_languages("all", PAWSX, pawsx, "test") == ("de", "ko")
    assert pawsx.languages(PAWSX, "dev") == ()


def test_asked_languages_keep_their_order_and_need_no_files_yet(pawsx):
    assert find_languages(["ko", "en"], PAWSX, pawsx, "test") == ("ko", "en")


def test_an_unknown_language_is_named_with_those_there_are(pawsx):
    with pytest.raises(RecipeError) as caught:
        find_languages(["ko", "xx"], PAWSX, pawsx, "test")
    assert str(caught.value) == (
        "evaluate.languages: unknown language 'xx'; task pawsx has en, de, es, fr, ja, ko, zh"
    )


@pytest.mark.parametrize(
    ("task", "split", "where"),
    [(PAWSX, "dev", "pawsx/dev-en.tsv"), (MNLI, "test", "")],
    ids=["no file", "no path"],
)
def test_no_language_at_all_is_a_data_error_that_says_where_it_looked(task, split, where, pawsx):
    with pytest.raises(DataError) as caught:
        find_languages("all", task, pawsx, split)
    assert str(caught.value).startswith(f"{pawsx.folder / where}: no {split} file of task {task.name}")


def test_examples_are_read_from_the_tasks_own_files(pawsx):
    assert load(pawsx, PAWSX, "test", "ko") == [PAIR]


def test_a_missing_and_a_nameless_file_are_data_errors(pawsx):
    with pytest.raises(DataError) as caught:
        load(pawsx, PAWSX, "test", "fr")
    assert str(caught.value).startswith(f"{pawsx.folder}/pawsx/test-fr.tsv: no such file")
    with pytest.raises(DataError, match=r"task mnli has no test file; name one under data\.files\.mnli\.test"):
        load(pawsx, MNLI, "test", "en")


def test_the_recipes_files_replace_a_splits_own_and_may_be_several(pawsx):
    (pawsx.folder / "more.tsv").write_text("c\td\t0\n")
    files = {"pawsx": {"test": ["pawsx/test-{lang}.tsv", "more.tsv"]}, "mnli": {"test": "mnli-{lang}.tsv"}}
    source = FolderSource(pawsx.folder, files)
    assert load(source, PAWSX, "test", "ko") == [PAIR, TextExample("c", "d", "0")]
    assert load(source, PAWSX, "train", "en") == [PAIR]
    assert source.paths(MNLI, "test", "en") == [pawsx.folder / "mnli-en.tsv"]
    (pawsx.folder / "more.tsv").unlink()
    assert source.languages(PAWSX, "test") == ()


def test_an_absolute_path_stands_outside_the_folder(pawsx, tmp_path_factory):
    path = tmp_path_factory.mktemp("elsewhere") / "test.tsv"
    path.write_text("e\tf\t0\n")
    source = FolderSource(pawsx.folder, {"pawsx": {"test": str(path)}})
    assert load(source, PAWSX, "test", "sw") == [TextExample("e", "f", "0")]


def test_a_source_is_the_folder_of_the_recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    files = {"pawsx": {"test": "x.tsv"}}
    source = open_source(DataSettings(source="xtreme", dir=Path("data"), files=files))
    assert (source.folder, source.files) == (Path("data"), files)
    assert open_source(DataSettings(source="files")).folder == Path()
    settings = DataSettings(source="hub", revisions={"xnli": "abc"}, streaming=True)
    assert open_source(settings) == HubSource({"xnli": "abc"}, streaming=True)


def test_the_starter_data_is_a_source_of_its_own(private_cache):
    source = open_source(DataSettings(source="starter"))
    assert source.folder == starter_data_dir()
    assert source.languages(REGISTRY["starter-topic"], "train") == ("en",)


def test_a_folder_that_does_not_exist_is_a_data_error(tmp_path):
    (tmp_path / "file").touch()
    for name, problem in (
        ("nowhere", ": no such folder; set data.dir"),
        ("file", " is a file; a folder is wanted"),
    ):
        with pytest.raises(DataError) as caught:
            open_source(DataSettings(source="files", dir=tmp_path / name))
        assert str(caught.value).startswith(f"{tmp_path / name}{problem}")


def test_every_family_has_a_metric():
    assert set(METRIC_OF_FAMILY.values()) <= set(METRICS)


ASKED = {"id": "7", "question": "who?", "answers": [{"text": "cat", "answer_start": 4}]}
CUSTOM = {
    "classification": (
        {"labels": ["a", "b"]},
        {
            "x.tsv": "text\tlabel\nthe cat\tb\n",
            "no header.tsv": "the cat\tb\n",
            "x.jsonl": json.dumps({"text": "the cat", "label": "b"}),
        },
        TextExample("the cat", None, "b"),
    ),
    "classification of pairs": (
        {"labels": ["a", "b"], "pair": True},
        {
            "x.tsv": "text\ttext_pair\tlabel\nthe cat\tsat\tb\n",
            "no header.tsv": "the cat\tsat\tb\n",
            "x.jsonl": json.dumps({"text": "the cat", "text_pair": "sat", "label": "b"}),
        },
        TextExample("the cat", "sat", "b"),
    ),
    "tagging": (
        {"labels": ["O", "B-X"]},
        {
            "x.tsv": "the\tO\ncat\tB-X\n",
            "x.conll": "the\tO\ncat\tB-X\n\n",
            "x.jsonl": json.dumps({"tokens": ["the", "cat"], "tags": ["O", "B-X"]}),
        },
        TaggedSentence(("the", "cat"), ("O", "B-X")),
    ),
    "qa": (
        {},
        {
            "x.json": json.dumps({"data": [{"paragraphs": [{"context": "the cat", "qas": [ASKED]}]}]}),
            "x.jsonl": json.dumps(ASKED | {"context": "the cat"}),
        },
        Question("7", "who?", "the cat", (Answer("cat", 4),)),
    ),
    "multiple_choice": (
        {},
        {"x.jsonl": json.dumps({"prompt": "hi", "choices": ["a", "b", "c"], "label": 2})},
        ChoiceExample("hi", ("a", "b", "c"), 2),
    ),
    "retrieval": (
        {},
        {
            "x.tsv": "source\tenglish\nHabari\tHello\n",
            "x.jsonl": json.dumps({"source": "Habari", "english": "Hello"}),
            "x.sw": "Habari\n",
        },
        Query(Passage("0", "Habari"), ("0",)),
    ),
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in CUSTOM for name in CUSTOM[kind][1]])
def test_a_task_of_the_users_own_reads_every_format_of_its_family(kind, name, tmp_path):
    settings, files, example = CUSTOM[kind]
    family = kind.split()[0]
    task = custom_task("mine", CustomTask(family=family, languages=["sw"], max_length=77, **settings))
    assert (task.family, task.max_length, task.metric) == (family, 77, METRIC_OF_FAMILY[family])
    assert task.labels == tuple(settings.get("labels", ()))
    (tmp_path / name).write_text(files[name])
    (tmp_path / "x.en").write_text("Hello\n")
    source = FolderSource(tmp_path, {"mine": {"test": name}})
    if family == "retrieval":
        assert source.pool(task, "test", "sw") == Pool((example,), (Passage("0", "Hello"),))
    else:
        assert load(source, task, "test", "sw") == [example]


def test_a_task_of_the_users_own_has_no_files_but_those_named(tmp_path):
    task = custom_task("mine", MINE)
    with pytest.raises(DataError, match=r"task mine has no train file; name one under data\.files\.mine\.train"):
        load(FolderSource(tmp_path), task, "train", "en")


def test_adding_a_task_is_adding_a_record(tmp_path):
    task = Task(
        name="mine",
        family="classification",
        summary="a task from outside",
        languages=("sw",),
        metric="accuracy",
        reader=tsv("text", "label"),
        parser=parse_text,
        fields=("text",),
        files={"test": "mine-{lang}.tsv"},
        labels=("yes", "no"),
    )
    (tmp_path / "mine-sw.tsv").write_text("the cat\tyes\n")
    assert load(FolderSource(tmp_path), task, "test", "sw") == [TextExample("the cat", None, "yes")]
