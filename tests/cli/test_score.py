import json

import pytest

from lowres_stilts.evaluation.benchmark import BENCHMARKS, score_benchmark
from tests.commands import ask
from tests.submissions import write_submission


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return write_submission(tmp_path_factory.mktemp("xtreme"), "xtreme")


def _score(predictions, references, *more, benchmark="xtreme"):
    options = ("--benchmark", benchmark, "--predictions", predictions, "--references", references)
    return ask("score", *options, *more)


def test_json_is_what_the_script_computes_and_nothing_else(folders):
    done = _score(*folders, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == json.dumps(score_benchmark("xtreme", *folders).scores, indent=2) + "\n"


def test_without_json_there_is_a_plain_table(folders):
    done = _score(*folders)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    for word in (*BENCHMARKS["xtreme"].tasks, "all_task", "retrieval", "36/36"):
        assert word in done.stdout
    assert "missing" not in done.stdout


def test_what_is_missing_stands_below_the_table_or_beside_the_json(folders, tmp_path):
    (tmp_path / "xnli").mkdir()
    (tmp_path / "xnli" / "test-sw.tsv").write_bytes((folders[0] / "xnli" / "test-sw.tsv").read_bytes())
    (tmp_path / "xnli" / "test-ur.tsv").write_text("neutral\n")
    table, as_json = _score(tmp_path, folders[1]), _score(tmp_path, folders[1], "--json")
    assert (table.returncode, as_json.returncode, table.stderr) == (0, 0, "")
    lines = as_json.stderr.splitlines()
    assert table.stdout.splitlines()[-len(lines) :] == lines
    assert list(json.loads(as_json.stdout)) == ["xnli"]
    assert any("xnli/test-ar.tsv" in line for line in lines)
    assert lines[-1].startswith(f"not used: {tmp_path}/xnli/test-ur.tsv: 1 predictions for ")


@pytest.mark.parametrize(
    ("benchmark", "predictions", "code", "message"),
    [
        ("glue", None, 2, "error: unknown benchmark 'glue'; there are xtreme and xtreme-r\n"),
        ("xtreme", "nowhere", 2, "error: nowhere: no such folder\n"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(benchmark, predictions, code, message, folders):
    done = _score(predictions or folders[0], folders[1], benchmark=benchmark)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", message)


def test_an_option_left_out_is_wrong_usage(folders):
    done = ask("score", "--predictions", folders[0])
    assert done.returncode == 2
    assert "Missing option" in done.stderr


def test_nothing_to_score_is_exit_code_1(folders, tmp_path):
    (tmp_path / "xquad").mkdir()
    (tmp_path / "xquad" / "test-ar.json").write_text("{")
    done = _score(tmp_path, folders[1])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "nothing could be scored" in done.stderr
    assert "xquad/test-ar.json: not valid JSON" in done.stderr


def test_help_has_an_example():
    assert "Example: lowres-stilts score --benchmark xtreme" in ask("score", "--help").stdout
