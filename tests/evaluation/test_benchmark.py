import json
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowres_stilts.errors import DataError, UsageError
from lowres_stilts.evaluation.benchmark import BENCHMARKS, score_benchmark
from lowres_stilts.evaluation.benchmark_tasks import TASKS
from lowres_stilts.evaluation.metrics import METRICS
from lowres_stilts.evaluation.references import SOURCES
from tests.benchmark_oracle import benchmark_scores
from tests.submissions import write_submission

NAMES = list(BENCHMARKS)
FILES = sum(map(len, BENCHMARKS["xtreme"].languages.values()))


@pytest.fixture(scope="module")
def xtreme(tmp_path_factory):
    return write_submission(tmp_path_factory.mktemp("xtreme"), "xtreme")


@pytest.fixture
def partial(tmp_path, xtreme):
    """XNLI and TyDi QA, to be spoilt."""
    predictions = tmp_path / "predictions"
    for task in ("xnli", "tydiqa", "udpos"):
        shutil.copytree(xtreme[0] / task, predictions / task)
    return predictions, xtreme[1]


def _write(root, file, text):
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", NAMES)
def test_a_complete_submission_equals_a_second_computation_to_the_last_digit(name, seed, tmp_path):
    predictions, references = write_submission(tmp_path, name, seed=seed)
    report = score_benchmark(name, predictions, references)
    assert (report.missing, report.unusable) == ([], [])
    expected = benchmark_scores(name, predictions, references)
    assert json.dumps(report.scores) == json.dumps(expected)


@pytest.mark.parametrize("name", NAMES)
def test_the_references_themselves_score_100(name, tmp_path):
    _, references = write_submission(tmp_path, name)
    gold = tmp_path / "gold"
    shutil.copytree(references, gold)
    for file in (path for task in BENCHMARKS[name].groups["qa"] for path in (gold / task).glob("*.json")):
        questions = json.loads(file.read_text())["data"][0]["paragraphs"][0]["qas"]
        for question in questions:
            question["answers"].append({"text": "sahihi"})
        (references / file.relative_to(gold)).write_text(json.dumps([{"paragraphs": [{"qas": questions}]}]))
        file.write_text(json.dumps({question["id"]: "sahihi" for question in questions}))
    scores = score_benchmark(name, gold, references).scores
    groups = ("all_task", *BENCHMARKS[name].groups)
    assert {group: scores[group] for group in groups} == dict.fromkeys(groups, 100)


def test_the_keys_are_those_of_the_official_script_in_its_order(xtreme):
    scores = score_benchmark("xtreme", *xtreme).scores
    groups = ["all_task", "classification", "tagging", "qa", "retrieval"]
    tasks = ["pawsx", "xnli", "panx", "udpos", "bucc2018", "tatoeba", "xquad", "mlqa", "tydiqa"]
    assert list(scores) == groups + tasks
    assert list(scores["xnli"]) == ["accuracy", "avg_accuracy", "avg_metric"]
    f1 = ["f1", "precision", "recall", "avg_f1", "avg_precision", "avg_recall", "avg_metric"]
    for task in ("panx", "udpos", "bucc2018"):
        assert list(scores[task]) == f1
    for task in ("xquad", "mlqa", "tydiqa"):
        assert list(scores[task]) == ["exact_match", "f1", "avg_exact_match", "avg_f1", "avg_metric"]
    assert list(scores["tydiqa"]["f1"]) == "en ar bn fi id ko ru sw te".split()


def test_all_tasks_and_languages_are_those_of_xtreme():
    sizes = {task: len(set(languages)) for task, languages in BENCHMARKS["xtreme"].languages.items()}
    assert sizes == {
        "pawsx": 7,
        "xnli": 15,
        "panx": 40,
        "udpos": 33,
        "bucc2018": 4,
        "tatoeba": 36,
        "xquad": 11,
        "mlqa": 7,
        "tydiqa": 9,
    }
    assert set(SOURCES) == set(TASKS) == {task for benchmark in BENCHMARKS.values() for task in benchmark.tasks}
    assert all(task.metric in METRICS for task in TASKS.values())


def test_a_partial_submission_is_averaged_over_what_is_there(partial, xtreme):
    predictions, references = partial
    (predictions / "xnli" / "test-sw.tsv").unlink()
    report = score_benchmark("xtreme", predictions, references)
    assert list(report.scores) == ["xnli", "udpos", "tydiqa"]
    whole = score_benchmark("xtreme", *xtreme).scores["xnli"]["accuracy"]
    rest = {language: value for language, value in whole.items() if language != "sw"}
    assert report.scores["xnli"]["accuracy"] == rest
    assert report.scores["xnli"]["avg_metric"] == sum(rest.values()) / len(rest)
    assert "xnli/test-sw.tsv" in report.missing
    assert len(report.missing) == 1 + FILES - 15 - 9 - 33
    assert report.unusable == []


def test_a_group_has_a_figure_when_all_its_tasks_are_complete(tmp_path, xtreme):
    predictions = tmp_path / "predictions"
    for task in ("xnli", "pawsx", "udpos", "panx"):
        shutil.copytree(xtreme[0] / task, predictions / task)
    (predictions / "panx" / "test-yo.tsv").unlink()
    scores = score_benchmark("xtreme", predictions, xtreme[1]).scores
    assert list(scores) == ["classification", "pawsx", "xnli", "panx", "udpos"]
    assert scores["classification"] == (scores["pawsx"]["avg_metric"] + scores["xnli"]["avg_metric"]) / 2


def test_a_task_of_xtreme_r_is_complete_with_the_languages_of_its_references(tmp_path):
    predictions, references = write_submission(tmp_path, "xtreme-r")
    _write(references, "lareqa/test-th.json", '{"q_th": ["th_1_0"]}')
    report = score_benchmark("xtreme-r", predictions, references)
    assert report.missing == ["lareqa/test-th.json"]
    assert not {"retrieval", "all_task"} & set(report.scores)
    _write(predictions, "lareqa/test-th.json", '{"q_th": ["th_0_0", "th_1_0"]}')
    report = score_benchmark("xtreme-r", predictions, references)
    assert report.scores["lareqa"]["map_at_20"]["th"] == 50
    assert {"retrieval", "all_task"} <= set(report.scores)


def test_a_task_of_xtreme_r_without_references_is_listed(tmp_path):
    predictions, references = write_submission(tmp_path, "xtreme-r")
    shutil.rmtree(references / "mewslix")
    report = score_benchmark("xtreme-r", predictions, references)
    assert report.missing == ["mewslix/ (and it has no references)"]
    assert "retrieval" not in report.scores


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("xnli/test-sw.tsv", "neutral\n", r"1 predictions for \d+ labels in .*references/xnli/test-sw.tsv"),
        ("xnli/test-sw.tsv", "", r"0 predictions for \d+ labels"),
        ("xnli/test-sw.tsv", "neutral\tyes\n", r"test-sw.tsv:1: expected one label in a line, found 2 columns"),
        ("xnli/test-sw.tsv", b"neutral\n\xff\n", r"test-sw.tsv:2: not valid UTF-8"),
        ("udpos/test-te.tsv", "NOUN\n", r"1 sentences for \d+ in "),
        ("udpos/test-te.tsv", "{shorter}", r"\d+ tags in sentence 1 for \d+ in "),
        ("udpos/test-te.tsv", "\x00\n\n\n", r"1 sentences for \d+ in "),
        ("tydiqa/test-sw.json", "{", r"test-sw.json: not valid JSON"),
        ("tydiqa/test-sw.json", "[" * 100_000, r"test-sw.json: not valid JSON \(nested too deeply\)"),
        ("tydiqa/test-sw.json", b"\xff", r"test-sw.json: not valid JSON"),
        ("tydiqa/test-sw.json", "9" * 5000, r"test-sw.json: not valid JSON"),
        ("tydiqa/test-sw.json", '["a"]', r"expected a JSON object"),
        ("tydiqa/test-sw.json", '{"0": ["a"]}', r"the answer to '0' is list, not a text"),
        ("tydiqa/test-sw.json", '{"data": 3}', r"expected a JSON object"),
    ],
)
def test_a_file_that_cannot_be_used_is_listed_with_the_reason(file, content, reason, partial):
    import re

    predictions, references = partial
    path = predictions / file
    if content == "{shorter}":
        content = path.read_text().partition("\n")[2] or "NOUN\n"
        content = "NOUN\n" * 20 + content
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    report = score_benchmark("xtreme", predictions, references)
    (line,) = report.unusable
    assert str(path) in line
    assert re.search(reason, line)
    assert "\n" not in line
    task = path.parent.name
    assert path.stem[-2:] not in report.scores[task][TASKS[task].figures[0]]
    assert file not in report.missing


@pytest.mark.parametrize("file", ["xnli/test-sw.tsv", "udpos/test-te.tsv", "tydiqa/test-sw.json"])
@settings(max_examples=25)
@given(content=st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_no_content_of_a_file_is_a_crash(file, content, xtreme, tmp_path_factory):
    predictions = tmp_path_factory.mktemp("any")
    (predictions / file).parent.mkdir()
    (predictions / file).write_bytes(content)
    try:
        report = score_benchmark("xtreme", predictions, xtreme[1])
    except DataError as error:
        assert "nothing could be scored" in str(error)
    else:
        assert report.unusable == []


def test_a_folder_in_place_of_a_file_is_listed(partial):
    predictions, references = partial
    (predictions / "tydiqa" / "test-sw.json").unlink()
    (predictions / "tydiqa" / "test-sw.json").mkdir()
    (line,) = score_benchmark("xtreme", predictions, references).unusable
    assert line.endswith("test-sw.json is a folder; a file is wanted")


def test_a_prediction_without_reference_is_listed(partial, tmp_path):
    predictions, references = partial
    shutil.copytree(references, tmp_path / "gold")
    (tmp_path / "gold" / "tydiqa" / "test-te.json").unlink()
    (line,) = score_benchmark("xtreme", predictions, tmp_path / "gold").unusable
    assert "tydiqa/test-te.json: no reference; there is no tydiqa/test-te.json or tydiqa/tydiqa-goldp" in line


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("xnli/test-sw.tsv", "premise\thypothesis\t\n", "xnli/test-sw.tsv:1: no label in the last column"),
        ("xnli/test-sw.tsv", "", "xnli/test-sw.tsv: there is nothing in it"),
        ("udpos/test-te.tsv", "Habari\t\n", "udpos/test-te.tsv:1: no tag in the last column"),
        ("tydiqa/test-sw.json", "[1]", "not in SQuAD's format"),
        ("tydiqa/test-sw.json", "{}", "there is nothing in it"),
        (
            "tydiqa/test-sw.json",
            '[{"paragraphs": [{"qas": [{"id": "1", "answers": []}]}]}]',
            "question '1' has no answer; is this a file without labels?",
        ),
        (
            "tydiqa/test-sw.json",
            '[{"paragraphs": [{"qas": [{"id": 1, "answers": [{"text": "x"}]}]}]}]',
            "not in SQuAD's format (question 1)",
        ),
    ],
)
def test_a_reference_that_cannot_be_used_is_named(file, content, reason, partial, tmp_path):
    predictions, references = partial
    gold = tmp_path / "gold"
    shutil.copytree(references, gold)
    _write(gold, file, content)
    (line,) = score_benchmark("xtreme", predictions, gold).unusable
    assert line.startswith(str(gold / file))
    assert reason in line


def test_wrong_usage_and_nothing_to_score(tmp_path, xtreme):
    with pytest.raises(UsageError, match="unknown benchmark 'glue'; there are xtreme and xtreme-r"):
        score_benchmark("glue", *xtreme)
    with pytest.raises(UsageError, match="nowhere: no such folder"):
        score_benchmark("xtreme", tmp_path / "nowhere", xtreme[1])
    with pytest.raises(UsageError, match="nowhere: no such folder"):
        score_benchmark("xtreme", xtreme[0], tmp_path / "nowhere")
    message = f"nothing could be scored; {FILES} prediction files are missing, 0 could not be used, such as pawsx"
    with pytest.raises(DataError, match=rf"{message}/test-de\.tsv$"):
        score_benchmark("xtreme", tmp_path, xtreme[1])


def test_a_language_that_mlqa_does_not_have_is_named_with_those_it_has(tmp_path):
    for language in ("sw", "vi"):
        gold = '[{"paragraphs": [{"qas": [{"id": "1", "answers": [{"text": "x"}]}]}]}]'
        _write(tmp_path, f"gold/mlqa/test-{language}.json", gold)
        _write(tmp_path, f"mine/mlqa/test-{language}.json", '{"1": "x"}')
    report = score_benchmark("xtreme-r", tmp_path / "mine", tmp_path / "gold")
    path = tmp_path / "mine" / "mlqa" / "test-sw.json"
    assert report.unusable == [f"{path}: MLQA has no language 'sw'; it has en, es, hi, vi, de, ar, zh"]
    assert report.scores["mlqa"]["f1"] == {"vi": 100}


def test_the_script_reads_a_blank_line_of_bucc_as_a_pair(tmp_path):
    _write(tmp_path, "gold/bucc2018/test-zh.tsv", "zh-1\ten-1\nzh-2\ten-2\n")
    _write(tmp_path, "mine/bucc2018/test-zh.tsv", "zh-1\ten-1\nzh-1\ten-1\n\n")
    scores = score_benchmark("xtreme", tmp_path / "mine", tmp_path / "gold").scores["bucc2018"]
    assert (scores["precision"], scores["recall"], scores["f1"]) == ({"zh": 50}, {"zh": 50}, {"zh": 50})
    _write(tmp_path, "mine/bucc2018/test-zh.tsv", "zh-1 en-1\n")
    with pytest.raises(DataError, match=r"test-zh.tsv:1: expected source id, tab, target id; found 1 columns"):
        score_benchmark("xtreme", tmp_path / "mine", tmp_path / "gold")
