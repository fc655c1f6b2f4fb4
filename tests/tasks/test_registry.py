import json
from pathlib import Path

import pytest

from lowres_stilts.data.examples import SentencePair
from lowres_stilts.errors import DataError
from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.tasks.load import Source
from lowres_stilts.tasks.registry import REGISTRY
from tests.oracle import oracle_predictions
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
def test_official_records_become_features_and_perfect_scores_the_gold_answers(name, tmp_path):
    task, source = REGISTRY[name], Source(tmp_path)
    for split in task.files:
        language = task.languages[-1] if split == "test" else "en"
        (path,) = source.paths(task, split, language)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(OFFICIAL[name])
        path.with_suffix(".en").write_text("Hello\n")
        examples = source.load(task, split, language)
        path.unlink()
        if task.family == "retrieval":
            assert examples == [SentencePair(OFFICIAL[name].strip(), "Hello")]
            continue
        family = FAMILIES[task.family]
        gold = [family.gold(example) for example in examples]
        assert gold == GOLD[name]
        features = family.encode(task, examples, tiny_tokenizer(), task.max_length)
        predicted = oracle_predictions(task, features)
        assert predicted == gold
        metric = METRICS[task.metric]
        assert metric.score(metric.table(gold, predicted, "en")) == 100


@pytest.mark.parametrize("task", [task for task in REGISTRY.values() if task.labels], ids=lambda task: task.name)
def test_files_without_answers_are_read_too(task, tmp_path):
    (path,) = Source(tmp_path).paths(task, "dev", "en")
    path.parent.mkdir(parents=True)
    without = [line.rpartition("\t")[0] for line in OFFICIAL[task.name].split("\n")]
    path.write_text("\n".join(without))
    examples = Source(tmp_path).load(task, "dev", "en")
    assert {FAMILIES[task.family].gold(example) for example in examples} == {None}


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
    assert Source(Path("data")).paths(REGISTRY[name], split, language) == [Path("data") / path]


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
