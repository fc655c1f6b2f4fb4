import json

import pytest

from lowres_stilts.errors import DataError, RecipeError
from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.recipe.schema import CustomTask, DataSettings
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.tasks.load import Source, find_languages, find_task
from lowres_stilts.tasks.registry import REGISTRY
from tests.tiny import tiny_tokenizer

CSQA = {
    "id": "1",
    "question": {"stem": "Where?", "choices": [{"label": "A", "text": "here"}, {"label": "B", "text": "there"}]},
    "answerKey": "B",
}
SIQA = {"context": "A ran.", "question": "Why?", "answerA": "x", "answerB": "y", "answerC": "z", "correct": "C"}
COPA = {"premise": "It rained.", "choice1": "Wet.", "choice2": "Dry.", "question": "effect", "label": 0}
REPLY = {"prompt": "hi", "choices": ["a", "b", "c", "d"], "label": 3}
OFFICIAL = {
    "xnli": "A man.\tA cat.\tcontradiction\nA man.\tA boy.\tneutral\n",
    "mnli": "A man.\tA cat.\tcontradiction\n",
    "pawsx": 'A "b" c .\tC b a .\t1\n',
    "panx": "Juma\tB-PER\nKaanan\tI-PER\n\nNairobi\tB-LOC\n\n",
    "udpos": "Wa\tPRON\nkimbia\tVERB\n\n",
    "xcopa": json.dumps(COPA) + "\n",
    "csqa": json.dumps(CSQA) + "\n",
    "socialiqa": json.dumps(SIQA) + "\n",
    "starter-reply": json.dumps(REPLY) + "\n",
    "starter-topic": "do you eat I eat electricity\tfood\n",
    "tatoeba": "Habari\n",
    "starter-parallel": "ciao\n",
}
GOLD = {
    "xnli": ["contradiction", "neutral"],
    "mnli": ["contradiction"],
    "pawsx": ["1"],
    "panx": [("B-PER", "I-PER"), ("B-LOC",)],
    "udpos": [("PRON", "VERB")],
    "xcopa": [0],
    "csqa": [1],
    "socialiqa": [2],
    "starter-reply": [3],
    "starter-topic": ["food"],
}


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_official_records_are_read_into_features(name, tmp_path):
    task = REGISTRY[name]
    split = "test" if "test" in task.files else "dev"
    (path,) = Source(tmp_path).paths(task, split, task.languages[-1])
    path.parent.mkdir(parents=True)
    path.write_text(OFFICIAL[name])
    path.with_suffix(".en").write_text("Hello\n")
    examples = Source(tmp_path).load(task, split, task.languages[-1])
    if task.family == "retrieval":
        assert [example.english for example in examples] == ["Hello"]
        return
    family = FAMILIES[task.family]
    assert [family.gold(example) for example in examples] == GOLD[name]
    features = family.encode(task, examples, tiny_tokenizer(), task.max_length)
    assert len(features) == len(examples)


@pytest.mark.parametrize("task", REGISTRY.values(), ids=lambda task: task.name)
def test_every_entry_is_complete(task):
    assert task.metric in METRICS
    assert bool(task.labels) == (task.family in {"classification", "tagging"})
    assert len(set(task.labels)) == len(task.labels)
    assert len(set(task.languages)) == len(task.languages)
    assert task.licence
    assert task.citation
    assert all("{lang}" in path for path in task.files.values()) or task.languages == ("en",)


@pytest.mark.benchmark_data
@pytest.mark.parametrize("name", ["xnli", "pawsx", "panx", "udpos", "xcopa", "tatoeba", "csqa", "socialiqa"])
def test_every_published_file_reads_strictly(name, benchmark_data):
    task, source = REGISTRY[name], Source(benchmark_data)
    found = [
        len(source.load(task, split, language))
        for split in ("train", "dev", "test")
        for language in source.languages(task, split)
    ]
    assert len(found) >= 2
    assert all(found)


def test_tasks_and_languages_that_do_not_exist_are_named(tmp_path):
    with pytest.raises(RecipeError, match=r"target\.task: unknown task 'xnly'; did you mean 'xnli'\?"):
        find_task("xnly", {}, "target.task")
    with pytest.raises(RecipeError, match="unknown task 'zzz'; `lowres-stilts tasks` lists them"):
        find_task("zzz", {}, "target.task")
    with pytest.raises(RecipeError, match=r"evaluate\.languages: unknown language 'xx'; task pawsx has en, de"):
        find_languages(["en", "xx"], REGISTRY["pawsx"], Source(tmp_path), "test")
    with pytest.raises(DataError, match=r"pawsx/test-en\.tsv: no test file of task pawsx in any of its languages"):
        find_languages("all", REGISTRY["pawsx"], Source(tmp_path), "test")


def test_all_languages_are_those_with_files(tmp_path):
    (tmp_path / "pawsx").mkdir()
    for language in ("ko", "de"):
        (tmp_path / "pawsx" / f"test-{language}.tsv").write_text(OFFICIAL["pawsx"])
    assert find_languages("all", REGISTRY["pawsx"], Source(tmp_path), "test") == ("de", "ko")


def test_the_recipes_files_replace_the_tasks_own(tmp_path):
    for name in ("a.tsv", "b.tsv"):
        (tmp_path / name).write_text(OFFICIAL["pawsx"])
    settings = DataSettings(source="xtreme", dir=tmp_path, files={"pawsx": {"train": ["a.tsv", "b.tsv"]}})
    source = Source.of(settings)
    assert len(source.load(REGISTRY["pawsx"], "train", "en")) == 2
    with pytest.raises(DataError, match=r"pawsx/dev-en\.tsv: no such file"):
        source.load(REGISTRY["pawsx"], "dev", "en")


def test_a_folder_that_is_not_there_and_an_empty_file_are_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: no such folder; set data\.dir"):
        Source.of(DataSettings(source="xtreme", dir=tmp_path / "nowhere"))
    (tmp_path / "pawsx").mkdir()
    (tmp_path / "pawsx" / "test-en.tsv").write_text("")
    with pytest.raises(DataError, match=r"test-en\.tsv: no examples"):
        Source(tmp_path).load(REGISTRY["pawsx"], "test", "en")


def test_parallel_files_must_be_equally_long(tmp_path):
    (tmp_path / "tatoeba").mkdir()
    (tmp_path / "tatoeba" / "sw-en.sw").write_text("Habari\nNdiyo\n")
    (tmp_path / "tatoeba" / "sw-en.en").write_text("Hello\n")
    with pytest.raises(DataError, match=r"sw-en\.sw: has 2 lines, but sw-en\.en has 1"):
        Source(tmp_path).load(REGISTRY["tatoeba"], "test", "sw")


@pytest.mark.parametrize(
    ("settings", "name", "content"),
    [
        ({"family": "classification", "labels": ["a", "b"]}, "x.tsv", "text\tlabel\nthe cat\ta\n"),
        ({"family": "classification", "labels": ["a", "b"], "pair": True}, "x.tsv", "the cat\tsat\tb\n"),
        ({"family": "classification", "labels": ["a", "b"]}, "x.jsonl", '{"text": "the cat", "label": "b"}\n'),
        ({"family": "tagging", "labels": ["a", "b"]}, "x.conll", "the\ta\ncat\tb\n"),
        ({"family": "tagging", "labels": ["a", "b"]}, "x.jsonl", '{"tokens": ["the"], "tags": ["a"]}\n'),
        ({"family": "multiple_choice"}, "x.jsonl", '{"prompt": "a", "choices": ["b", "c"], "label": 0}\n'),
        ({"family": "retrieval"}, "x.tsv", "source\tenglish\nHabari\tHello\n"),
        ({"family": "retrieval"}, "x.jsonl", '{"source": "Habari", "english": "Hello"}\n'),
    ],
)
def test_tasks_of_the_users_own_read_plain_files(settings, name, content, tmp_path):
    (tmp_path / name).write_text(content)
    task = find_task("mine", {"mine": CustomTask(languages=["sw"], **settings)}, "target.task")
    examples = Source(tmp_path, {"mine": {"test": name}}).load(task, "test", "sw")
    assert len(examples) == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("xnli", "a\tb\tmaybe\n", ":1: label 'maybe' is not one of contradiction, entailment, neutral"),
        ("xnli", "a\t \tneutral\n", ":1: field 'hypothesis' is empty"),
        ("panx", "a\tO\nb\tB-CAR\n", ":2: tag 'B-CAR' is not one of O, B-PER"),
        ("xcopa", json.dumps(COPA | {"label": 2}), ":1: label 2 is not the index of a choice"),
        ("xcopa", json.dumps(COPA | {"label": True}), ":1: label True is not the index of a choice"),
        ("xcopa", json.dumps(COPA | {"question": "why"}), ":1: question 'why' is neither cause nor effect"),
        ("csqa", json.dumps(CSQA | {"answerKey": "Z"}), ":1: answer 'Z' is not one of A, B"),
        ("csqa", json.dumps({"question": "?"}), ":1: expected a field 'question' with a 'stem'"),
        (
            "starter-reply",
            json.dumps(REPLY | {"choices": ["a"]}),
            ":1: field 'choices' must be a list of at least two",
        ),
    ],
)
def test_labels_outside_the_set_name_file_and_line(name, content, message, tmp_path):
    path = tmp_path / ("x.jsonl" if content.startswith("{") else "x.tsv")
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        list(REGISTRY[name].reader(path, REGISTRY[name]))
    assert str(caught.value).startswith(f"{path}{message}")
