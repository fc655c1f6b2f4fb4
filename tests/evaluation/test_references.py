"""References in the layout of XTREME's download folder."""

import json

import pytest

from lowres_stilts.errors import DataError
from lowres_stilts.evaluation.benchmark import BENCHMARKS, score_benchmark
from lowres_stilts.evaluation.references import find_reference, reference_languages

SQUAD = {"data": [{"paragraphs": [{"qas": [{"id": "1", "answers": [{"text": "Nairobi"}, {"text": "jiji"}]}]}]}]}
DOWNLOADS = {
    "xnli/test-sw.tsv": "Ni mvua.\tMvua inanyesha.\tentailment\n",
    "pawsx/test-ko.tsv": "a\tb\t1\n",
    "udpos/test-te.tsv": "Habari\tNOUN\n.\tPUNCT\n\nNdiyo\tINTJ\n\n",
    "panx/test-sw.tsv": "Nairobi\tB-LOC\nni\tO\n",
    "xquad/xquad.ru.json": json.dumps(SQUAD),
    "tydiqa/tydiqa-goldp-v1.1-dev/tydiqa.goldp.sw.dev.json": json.dumps(SQUAD),
    "mlqa/MLQA_V1/test/test-context-vi-question-vi.json": json.dumps(SQUAD),
    "mlqa/MLQA_V1/test/test-context-en-question-vi.json": "not looked at, since its languages are two",
    "tatoeba/sw-en.sw": "moja\nmbili\n",
    "tatoeba/sw-en.en": "one\ntwo\n",
    "bucc2018/zh-en.test.gold": "zh-1\ten-1\n",
    "xcopa/test-sw.jsonl": '{"label": 0}\n{"label": 1}\n',
}
PREDICTIONS = {
    "xnli/test-sw.tsv": "entailment\n",
    "pawsx/test-ko.tsv": "1\n",
    "udpos/test-te.tsv": "NOUN\nPUNCT\n\nINTJ\n",
    "panx/test-sw.tsv": "B-LOC\nO\n",
    "xquad/test-ru.json": '{"1": "nairobi"}',
    "tydiqa/test-sw.json": '{"data": {"1": "Jiji"}}',
    "mlqa/test-vi.json": '{"1": "Nairobi"}',
    "tatoeba/test-sw.tsv": "0\n1\n",
    "bucc2018/test-zh.tsv": "zh-1\ten-1\n",
    "xcopa/test-sw.tsv": "0\n1\n",
}


@pytest.fixture
def folders(tmp_path):
    for root, files in (("download", DOWNLOADS), ("predictions", PREDICTIONS)):
        for name, content in files.items():
            (tmp_path / root / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / root / name).write_text(content, encoding="utf-8")
    return tmp_path / "predictions", tmp_path / "download"


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_download_folder_serves_as_references(name, folders):
    report = score_benchmark(name, *folders)
    assert report.unusable == []
    tasks = {file.partition("/")[0] for file in PREDICTIONS} & set(BENCHMARKS[name].tasks)
    assert {task: report.scores[task]["avg_metric"] for task in tasks} == dict.fromkeys(tasks, 100)


def test_languages_are_found_in_either_layout(folders):
    _, download = folders
    assert {task: reference_languages(download, task) for task in ("xnli", "mlqa", "tatoeba", "tydiqa")} == {
        "xnli": ("sw",),
        "mlqa": ("vi",),
        "tatoeba": ("sw",),
        "tydiqa": ("sw",),
    }
    assert reference_languages(download / "nowhere", "xnli") == ()
    (download / "mlqa" / "test-de.json").write_text("{}")
    assert reference_languages(download, "mlqa") == ("de", "vi")


def test_the_label_folder_goes_before_the_download_folder(folders):
    _, download = folders
    assert find_reference(download, "xquad", "ru")[0] == download / "xquad" / "xquad.ru.json"
    (download / "xquad" / "test-ru.json").write_text("{}")
    assert find_reference(download, "xquad", "ru")[0] == download / "xquad" / "test-ru.json"
    assert find_reference(download, "xquad", "xx") is None


def test_panx_without_tags_is_told_from_tags(folders):
    predictions, download = folders
    (download / "panx" / "test-sw.tsv").write_text("sw:Nairobi\nsw:ni\n")
    report = score_benchmark("xtreme", predictions, download)
    assert report.without_answers == {"panx": ["sw"]}
    (line,) = report.withheld()
    assert line.startswith("panx: answers not known in sw, so no score there; labelled test files: https://")


ROWS = [{"id": str(n), "answers": [{"text": "", "answer_start": 0}]} for n in range(3)]
PLACEHOLDERS = {
    "xnli/test-sw.tsv": "Ni mvua.\tMvua inanyesha.\n",
    "panx/test-sw.tsv": "O\nRio\nI-95\nde\nJaneiro\n",
    "udpos/test-te.tsv": "X\nNUM\nkimbia\nsana\nleo\n",
    "xquad/xquad.ru.json": json.dumps({"data": [{"paragraphs": [{"context": "x", "qas": ROWS}]}]}),
    "xcopa/test-sw.jsonl": '{"label": 0}\n' * 10,
    "tatoeba/sw-en.en": "".join(f"{n}\n" for n in range(10)),
}


@pytest.mark.parametrize("file", PLACEHOLDERS)
def test_placeholders_are_no_answers(file, folders):
    predictions, download = folders
    (download / file).write_text(PLACEHOLDERS[file])
    task, language = file.partition("/")[0], {"udpos": "te", "xquad": "ru"}.get(file.partition("/")[0], "sw")
    report = score_benchmark("xtreme-r", predictions, download)
    assert report.without_answers == {task: [language]}
    assert task not in report.scores
    assert report.unusable == []


def test_a_folder_of_placeholders_gives_no_score_and_says_why(folders, tmp_path):
    predictions, _ = folders
    (tmp_path / "only" / "xcopa").mkdir(parents=True)
    (tmp_path / "only" / "xcopa" / "test-sw.jsonl").write_text('{"label": 0}\n' * 10)
    with pytest.raises(
        DataError, match=r"nothing could be scored; xcopa: answers not known in sw, .*cambridgeltl"
    ):
        score_benchmark("xtreme-r", predictions, tmp_path / "only")


@pytest.mark.parametrize("tags", ["O", "B-LOC", "I-ORG"])
def test_one_tag_is_enough_to_tell_panx_from_bare_tokens(tags, folders):
    _, download = folders
    path, source = find_reference(download, "panx", "sw")
    path.write_text(f"Nairobi\t{tags}\n")
    assert source.read(path) == [[tags]]


def test_a_pair_of_sentences_without_label_is_not_taken_for_a_label(folders):
    _, download = folders
    path, source = find_reference(download, "xnli", "sw")
    path.write_text("Ni mvua.\tMvua inanyesha.\tsi kweli\nNi mvua.\tMvua inanyesha.\n")
    with pytest.raises(DataError, match=r"xnli/test-sw\.tsv:2: no label in the last column"):
        source.read(path)
    path.write_text("Ni mvua.\tMvua inanyesha.\tsi kweli\nneutral\n")
    assert source.read(path) == ["si kweli", "neutral"]


def test_a_choice_without_label_is_named_by_its_line(folders):
    predictions, download = folders
    (download / "xcopa" / "test-sw.jsonl").write_text('{"label": 0}\n{}\n')
    (line,) = score_benchmark("xtreme-r", predictions, download).unusable
    assert line.endswith("xcopa/test-sw.jsonl:2: no label")


def _lareqa(context, breaks, *questions):
    qas = [{"id": uid, "question": "?", "answers": [{"text": "x", "answer_start": at}]} for uid, at in questions]
    return {"context": context, "sentence_breaks": breaks, "qas": qas}


@pytest.fixture
def lareqa(tmp_path):
    """Two languages; the answer of q2 stands in a sentence that comes twice, that of q3 between sentences."""
    first = _lareqa("A b. C d.", [[0, 4], [5, 9]], ("q1", 5))
    second = _lareqa("E f. G h. E f.", [[0, 4], [5, 9], [10, 14]], ("q2", 0), ("q3", 4))
    swahili = [first, second], [_lareqa("Jibu.", [[0, 5]], ("q1", 0))]
    for language, paragraphs in zip(("en", "sw"), swahili, strict=True):
        path = tmp_path / "lareqa" / "xquad-r" / f"{language}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"data": [{"paragraphs": [paragraph]} for paragraph in paragraphs]}))
    return tmp_path


def test_the_right_sentences_of_lareqa_are_those_of_all_languages(lareqa):
    gold = {}
    for language in reference_languages(lareqa, "lareqa"):
        path, source = find_reference(lareqa, "lareqa", language)
        gold |= source.read(path)
    assert gold == {
        "q1_en": ("en_1_1", "sw_1_0"),
        "q2_en": ("en_2_0", "en_2_2"),
        "q1_sw": ("en_1_1", "sw_1_0"),
    }


@pytest.mark.parametrize("content", ["{", "[1]", '[{"paragraphs": [{"context": "x", "sentence_breaks": [1]}]}]'])
def test_a_malformed_file_of_lareqa_is_named(content, lareqa):
    (lareqa / "lareqa" / "xquad-r" / "sw.json").write_text(content)
    path, source = find_reference(lareqa, "lareqa", "en")
    with pytest.raises(DataError, match=r"sw\.json: not "):
        source.read(path)


def test_rankings_are_checked(tmp_path):
    gold, mine = tmp_path / "gold" / "mewslix", tmp_path / "mine" / "mewslix"
    for folder in (gold, mine):
        folder.mkdir(parents=True)
    (gold / "test-sw.json").write_text('{"m1": [" Q1 "], "m2": ["Q2"]}')
    (mine / "test-sw.json").write_text('{"m1": ["Q3", "Q1"]}')
    assert score_benchmark("xtreme-r", mine.parent, gold.parent).scores["mewslix"]["map_at_20"] == {"sw": 25}
    (mine / "test-sw.json").write_text('{"m1": "Q1"}')
    with pytest.raises(DataError, match="expected a list of ids for 'm1'"):
        score_benchmark("xtreme-r", mine.parent, gold.parent)
    (gold / "test-sw.json").write_text('{"m1": []}')
    with pytest.raises(DataError, match="nothing is right for 'm1'"):
        score_benchmark("xtreme-r", mine.parent, gold.parent)


@pytest.mark.slow
@pytest.mark.benchmark_data
@pytest.mark.parametrize("name", BENCHMARKS)
def test_gold_labels_of_the_real_data_score_100(name, benchmark_data, tmp_path):
    tasks = set(BENCHMARKS[name].tasks) - (set(BENCHMARKS["xtreme"].tasks) if name == "xtreme-r" else set())
    for task in tasks:
        for language in reference_languages(benchmark_data, task):
            _write_gold(tmp_path, task, language, benchmark_data)
    report = score_benchmark(name, tmp_path, benchmark_data)
    assert report.unusable == []
    done = {task: report.scores[task]["avg_metric"] for task in tasks if task in report.scores}
    assert set(done) >= (
        {"xcopa"} if name == "xtreme-r" else {"xnli", "pawsx", "udpos", "tatoeba", "xquad", "tydiqa"}
    )
    assert done == dict.fromkeys(done, 100)


@pytest.mark.benchmark_data
def test_spoilt_gold_labels_of_the_real_data_score_less(benchmark_data, tmp_path):
    for task, language in (("xnli", "sw"), ("xnli", "ur"), ("tydiqa", "sw")):
        _write_gold(tmp_path, task, language, benchmark_data)
    labels = tmp_path / "xnli" / "test-sw.tsv"
    lines = labels.read_text().splitlines()
    labels.write_text("\n".join("none" if number % 5 == 0 else label for number, label in enumerate(lines)))
    file = tmp_path / "tydiqa" / "test-sw.json"
    answers = json.loads(file.read_text())
    file.write_text(json.dumps(dict(list(answers.items())[1:])))
    scores = score_benchmark("xtreme", tmp_path, benchmark_data).scores
    right = len(lines) - len(range(0, len(lines), 5))
    assert scores["xnli"]["accuracy"] == {"sw": right / len(lines) * 100, "ur": 100}
    assert scores["tydiqa"]["f1"]["sw"] == 100 * (len(answers) - 1) / len(answers)


def _write_gold(root, task, language, data):
    path, source = find_reference(data, task, language)
    gold = source.read(path)
    folder = root / task
    folder.mkdir(parents=True, exist_ok=True)
    if task in {"xquad", "mlqa", "tydiqa"}:
        answers = {question: texts[0] for question, texts in gold}
        (folder / f"test-{language}.json").write_text(json.dumps(answers))
    elif task in {"udpos", "panx"}:
        text = "\n".join("".join(f"{tag}\n" for tag in tags) for tags in gold)
        (folder / f"test-{language}.tsv").write_text(text)
    else:
        (folder / f"test-{language}.tsv").write_text("".join(f"{label}\n" for label in gold))
