import json
from dataclasses import replace
from pathlib import Path

import pytest

from lowres_stilts.errors import DataError
from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.families import DECODERS, FAMILIES
from lowres_stilts.tasks.source import FolderSource
from tests.official import ANSWERS, COPA, CSQA, GOLD, OFFICIAL, POOLS, REPLY
from tests.oracle import oracle_predictions
from tests.tiny import tiny_tokenizer

OTHERS = {"mlm", "anli+"}
"""They have no files of their own."""


def load(source, *wanted):
    return list(source.examples(*wanted))


def fill(source, task, split, language, content):
    for path in source.paths(task, split, language):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def test_every_task_has_official_records_here():
    assert set(REGISTRY) == set(OFFICIAL) | set(POOLS) | OTHERS
    assert set(OFFICIAL) == set(GOLD)
    assert set(POOLS) == set(ANSWERS)


@pytest.mark.parametrize("name", OFFICIAL)
def test_official_records_become_features_and_perfect_scores_the_gold_answers(name, tmp_path):
    task, source = REGISTRY[name], FolderSource(tmp_path)
    for split in task.files:
        language = task.languages[-1] if split == "test" else "en"
        fill(source, task, split, language, OFFICIAL[name])
        examples = load(source, task, split, language)
        paths = source.paths(task, split, language)
        for path in paths:
            path.unlink()
        family = FAMILIES[task.family]
        gold = [family.gold(example) for example in examples]
        assert gold == GOLD[name] * len(paths)
        if not task.labels and task.family == "tagging":  # they are those of the training file
            task = replace(task, labels=tuple({tag for tags in gold for tag in tags}))
        features = family.encode(task, examples, tiny_tokenizer(), task.max_length)
        predicted = oracle_predictions(task, examples, features)
        if task.family == "qa":
            assert predicted == [(*answers, "")[0] for answers in gold]
        else:
            assert predicted == gold
        metric = METRICS[task.metric]
        assert metric.score(metric.table(gold, predicted, "en")) == 100


@pytest.mark.parametrize("name", POOLS)
def test_official_files_become_queries_and_candidates(name, tmp_path):
    task, source = REGISTRY[name], FolderSource(tmp_path)
    language, answers = ANSWERS[name]
    for split in task.files:
        folder = source.paths(task, split, language)[0].parent
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in POOLS[name].items():
            (folder / file.replace("{split}", split).replace("{lang}", language)).write_text(content)
        pool = source.pool(task, split, language)
        assert [(query.passage.text, query.answers) for query in pool.queries] == answers
        assert {answer for _, ids in answers for answer in ids} <= {candidate.id for candidate in pool.candidates}
        assert language in source.languages(task, split)


@pytest.mark.parametrize(
    "task", [t for t in REGISTRY.values() if t.labels and t.files and t.name in {
        "xnli", "mnli", "snli", "anli", "pawsx", "pawsx-en", "panx", "udpos", "ud-en", "americasnli",
        "starter-topic", "masakhaner", "masakhapos",
    }], ids=lambda task: task.name,
)  # fmt: skip
def test_files_without_answers_are_read_too(task, tmp_path):
    source = FolderSource(tmp_path)
    without = [line.rpartition("\t")[0] for line in OFFICIAL[task.name].split("\n")]
    fill(source, task, "dev", "en", "\n".join(without).rstrip("\n") + "\n")
    examples = load(source, task, "dev", "en")
    assert {DECODERS[task.family].gold(example) for example in examples} == {None}


def test_spaces_between_token_and_tag_are_read_as_masakha_has_them(tmp_path):
    for name in ("masakhaner", "masakhapos"):
        task, source = REGISTRY[name], FolderSource(tmp_path)
        fill(source, task, "test", "hau", OFFICIAL[name].replace("\t", " "))
        assert [FAMILIES["tagging"].gold(e) for e in load(source, task, "test", "hau")] == GOLD[name]


def test_the_papers_nli_is_its_three_parts_in_a_row(tmp_path):
    source, together = FolderSource(tmp_path), REGISTRY["anli+"]
    assert source.names(together, "train")
    assert source.names(together, "dev")
    assert not source.names(together, "test")
    for number, part in enumerate(together.parts):
        text = "".join(f"{part.name} {n}\tA cat.\tneutral\n" for n in range(number + 1))
        fill(source, part, "train", "en", text)
    texts = [example.text for example in load(source, together, "train", "en")]
    assert texts == ["anli 0"] * 3 + ["mnli 0", "mnli 1", "snli 0", "snli 1", "snli 2"]
    own = FolderSource(tmp_path, {"anli+": {"train": "xnli/train-en.tsv"}})
    assert [example.text for example in load(own, together, "train", "en")] == ["mnli 0", "mnli 1"]


def test_masked_language_modelling_reads_the_files_that_the_recipe_names(tmp_path):
    (tmp_path / "a.txt").write_text("the cat\n\n \ncalm sea\n")
    (tmp_path / "b.jsonl").write_text(json.dumps({"text": "sun"}))
    source = FolderSource(tmp_path, {"mlm": {"train": ["a.txt", "b.jsonl"]}})
    assert [example.text for example in load(source, REGISTRY["mlm"], "train", "en")] == [
        "the cat",
        "calm sea",
        "sun",
    ]
    assert not source.names(REGISTRY["mlm"], "dev")


@pytest.mark.parametrize(
    ("name", "split", "language", "path"),
    [
        ("xnli", "test", "sw", "xnli/test-sw.tsv"),
        ("mnli", "train", "en", "xnli/train-en.tsv"),
        ("pawsx", "dev", "en", "pawsx/dev-en.tsv"),
        ("panx", "train", "en", "panx/train-en.tsv"),
        ("udpos", "test", "yo", "udpos/test-yo.tsv"),
        ("xcopa", "dev", "et", "xcopa/val-et.jsonl"),
        ("xcopa", "train", "en", "xcopa/train-en.jsonl"),
        ("tatoeba", "test", "sw", "tatoeba/sw-en.sw"),
        ("socialiqa", "train", "en", "siqa/socialIQa_v1.4_trn.jsonl"),
        ("starter-topic", "test", "zh-TW", "starter/topic/test-zh-TW.tsv"),
    ],
)
def test_files_are_where_xtreme_puts_them(name, split, language, path):
    assert FolderSource(Path("data")).paths(REGISTRY[name], split, language) == [Path("data") / path]


@pytest.mark.parametrize("task", REGISTRY.values(), ids=lambda task: task.name)
def test_every_entry_is_complete(task):
    assert task.metric in METRICS
    # CCGbank's labels are those of its training file.
    assert bool(task.labels) == (task.family in {"classification", "tagging"} and task.name != "ccg")
    assert len(set(task.labels)) == len(task.labels)
    assert len(set(task.languages)) == len(task.languages)
    assert task.licence
    assert task.citation
    assert (task.pool is not None) == (task.family == "retrieval")
    assert (task.reader is None) == (task.parser is None) == (task.pool is not None)
    assert set(task.files) <= {"train", "dev", "test"}
    if len(task.languages) > 1 and task.name != "mewslix":  # its mentions of all languages are in one file
        assert all("{lang}" in path for path in task.paths("test"))
    assert all("{lang}" in path or task.english == "en" for path in task.paths("train"))
    assert task.translated is None or "{lang}" in task.translated.path


@pytest.mark.benchmark_data
@pytest.mark.parametrize(
    "name",
    [
        "xnli",
        "pawsx",
        "panx",
        "udpos",
        "xcopa",
        "tatoeba",
        "csqa",
        "socialiqa",
        "xquad",
        "mlqa",
        "tydiqa",
        "bucc2018",
        "ud-en",
        "pawsx-en",
    ],
)
def test_every_published_file_reads_strictly(name, benchmark_data):
    task, source = REGISTRY[name], FolderSource(benchmark_data)
    found = [
        len(source.pool(task, split, language) if task.pool else load(source, task, split, language))
        for split in ("train", "dev", "test")
        for language in source.languages(task, split)
    ]
    assert len(found) >= (1 if name == "bucc2018" else 2)
    assert all(found)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("xnli", "a\tb\tmaybe\n", ":1: label 'maybe' is not one of contradiction, entailment, neutral"),
        ("rte", "index\tsentence1\tsentence2\tlabel\n0\ta\t \tentailment\n", ":2: field 'sentence2' is empty"),
        ("xnli", "a\tb\t-\n", ":1: label '-' is not one of contradiction, entailment, neutral"),
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
        list(REGISTRY[name].read(path))
    assert str(caught.value).startswith(f"{path}{message}")
