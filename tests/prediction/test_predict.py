"""The command: from files to files, with what a bundle answers."""

import contextlib
import csv
import io
import json
import signal
import subprocess
import sys
import time

import pytest

from lowres_stilts.prediction.bundles import open_answerer
from lowres_stilts.prediction.work import Order, answer_file
from lowres_stilts.runtime import Bundle
from tests.bundles import WORDS
from tests.commands import ask, command

TEXTS = [f"{WORDS[number % len(WORDS)]} {WORDS[(3 * number) % len(WORDS)]}" for number in range(40)]


@pytest.fixture
def lines(write):
    return write("".join(f"{text}\n" for text in TEXTS), "a.txt")


@pytest.fixture(scope="module")
def bundle(zoo):
    return Bundle.load(zoo.bundle, threads=1)


def done(*words):
    finished = ask("predict", *words)
    assert finished.returncode == 0, finished.stderr
    return finished


def test_classified_lines_have_label_and_probabilities(zoo, bundle, lines, tmp_path):
    out = tmp_path / "out.jsonl"
    told = done(zoo.bundle, lines, "-o", out, "--adapter", "first")
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["text"] for row in rows] == TEXTS
    for row, answer in zip(rows, bundle.predict(TEXTS, "first"), strict=True):
        assert row["prediction"]["label"] == answer.label
        assert row["prediction"]["scores"] == pytest.approx(answer.scores, abs=1e-5)
    assert told.stdout == ""
    assert "out.jsonl: 40 rows" in told.stderr
    assert done(zoo.bundle, lines, "--adapter", "first").stdout == out.read_text()
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []


def test_entities_have_offsets_into_the_given_text(zoo, write):
    texts = ["glad,  happy (rain)!", "", "calm\u00a0tea — sea"]
    path = write("".join(f"{text}\n" for text in texts), "a.txt")
    found = done(zoo.bundle, path, "--adapter", "first-intermediate-tags").stdout.splitlines()
    rows = [json.loads(line) for line in found]
    assert [row["text"] for row in rows] == texts
    assert rows[1]["prediction"] is None
    assert rows[0]["prediction"]["tokens"] == ["glad", ",", "happy", "(", "rain", ")", "!"]
    entities = [(row["text"], entity) for row in (rows[0], rows[2]) for entity in row["prediction"]["entities"]]
    assert entities
    assert all(text[entity["start"] : entity["end"]] == entity["text"] for text, entity in entities)


def test_a_table_keeps_its_columns_and_order(zoo, write, tmp_path):
    path = write('id,review,stars\n7,"glad, ""happy""",5\n8,,1\n9,sad rain,2\n', "a.csv")
    out = tmp_path / "out.tsv"
    told = done(zoo.bundle, path, "-o", out, "--adapter", "first", "--column", "text=review")
    rows = list(csv.DictReader(io.StringIO(out.read_text()), delimiter="\t"))
    assert [(row["id"], row["review"], row["stars"]) for row in rows] == [
        ("7", 'glad, "happy"', "5"),
        ("8", "", "1"),
        ("9", "sad rain", "2"),
    ]
    assert [bool(row["prediction"]) for row in rows] == [True, False, True]
    assert float(rows[0]["prediction_score"]) > 1 / 3
    assert "3 rows, 1 of them without an answer" in told.stderr


def test_conll_gets_a_column_more(zoo, bundle, write):
    path = write("# id 1\nglad\tO\nhappy\tO\n\nsea\tB-X\n", "a.conll")
    found = done(zoo.bundle, path, "--adapter", "first-intermediate-tags", "--format", "conll").stdout
    one, two = (
        bundle.predict([words], "first-intermediate-tags")[0].tags for words in (["glad", "happy"], ["sea"])
    )
    assert found == f"# id 1\nglad\tO\t{one[0]}\nhappy\tO\t{one[1]}\n\nsea\tB-X\t{two[0]}\n\n"


def test_annotation_tools_can_import(zoo, write):
    path = write('{"text": "glad happy sea", "source": "web"}\n{"text": "rain"}\n', "a.jsonl")
    words = (zoo.bundle, path, "--adapter", "first-intermediate-tags", "--format")
    tasks = json.loads(done(*words, "label-studio").stdout)
    assert [task["data"]["text"] for task in tasks] == ["glad happy sea", "rain"]
    assert tasks[0]["data"]["source"] == "web"
    results = [result for task in tasks for result in task["predictions"][0]["result"]]
    assert all(result["type"] == "labels" for result in results)
    lines = [json.loads(line) for line in done(*words, "doccano").stdout.splitlines()]
    spans = [[v["start"], v["end"], *v["labels"]] for v in (result["value"] for result in results)]
    assert [span for line in lines for span in line["label"]] == spans
    assert spans
    label = done(zoo.bundle, path, "--adapter", "first", "--format", "label-studio").stdout
    (choice,) = json.loads(label)[0]["predictions"][0]["result"]
    assert choice["value"]["choices"][0] in {"glad", "sad", "calm"}


def test_every_family_answers(zoo, bundle, write):
    asked = write('{"question": "good bad", "context": "tea sea sun"}\n', "qa.jsonl")
    (answer,) = bundle.predict([("good bad", "tea sea sun")], "second")
    told = json.loads(done(zoo.bundle, asked, "--adapter", "second").stdout)["prediction"]
    assert (told["answer"], told["start"], told["end"]) == (answer.text, answer.start, answer.end)
    chosen = write('{"prompt": "glad", "choices": ["sun", "rain"]}\n', "mc.jsonl")
    columns = write("prompt\tchoice0\tchoice1\tchoice2\nglad\tsun\train\t\n", "mc.tsv")
    name = "first-intermediate-choice"
    answers = [json.loads(done(zoo.bundle, path, "--adapter", name).stdout) for path in (chosen, columns)]
    assert answers[0]["prediction"] == answers[1]["prediction"]
    (best,) = bundle.predict([("glad", ["sun", "rain"])], name)
    assert answers[0]["prediction"]["index"] == best.index
    pairs = write('{"text": "glad", "text_pair": "sun"}\n', "pairs.jsonl")
    assert json.loads(done(zoo.bundle, pairs, "--adapter", "second-intermediate").stdout)["prediction"]["label"]


def test_packages_answer_as_their_bundle_does(zoo, bundle, lines):
    """The bundle is float32, and so are the packages of the zoo."""
    place = zoo.packages["first"]
    rows = [json.loads(line)["prediction"] for line in done(place, lines).stdout.splitlines()]
    for row, answer in zip(rows, bundle.predict(TEXTS, "first"), strict=True):
        assert row["label"] == answer.label
        assert row["scores"] == pytest.approx(answer.scores, abs=1e-4)
    tags = zoo.packages["first-intermediate-tags"]
    name = "first-intermediate-tags"
    told = ask("predict", tags, lines)
    assert told.returncode == 2
    assert "which of its adapters? --adapter takes" in told.stderr
    assert name in told.stderr
    found = [json.loads(line)["prediction"] for line in done(tags, lines, "--adapter", name).stdout.splitlines()]
    assert [row["tags"] for row in found] == [list(answer.tags) for answer in bundle.predict(TEXTS, name)]


def test_the_least_sure_come_first_and_the_least_likely_stay_open(zoo, lines, tmp_path):
    plain = [json.loads(line) for line in done(zoo.bundle, lines, "--adapter", "first").stdout.splitlines()]
    sure = sorted(row["prediction"]["score"] for row in plain)
    words = (zoo.bundle, lines, "--adapter", "first", "--sort", "uncertainty", "-o")
    done(*words, tmp_path / "sorted.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "sorted.jsonl").read_text().splitlines()]
    assert [row["prediction"]["score"] for row in rows] == sure
    assert sorted(row["text"] for row in rows) == sorted(TEXTS)
    middle = sure[len(sure) // 2]
    told = done(*words, tmp_path / "open.jsonl", "--threshold", middle)
    left = [json.loads(line) for line in (tmp_path / "open.jsonl").read_text().splitlines()]
    assert [row["text"] for row in left] == [row["text"] for row in rows]
    open_rows = [row for row in left if row["prediction"] is None]
    assert open_rows == left[: len(open_rows)]
    assert 0 < len(open_rows) < len(left)
    assert f"{len(open_rows)} of them without an answer" in told.stderr


class Killed(BaseException):
    pass


class Fragile:
    """Answers, and is killed after so many stretches."""

    def __init__(self, answerer, stretches):
        self.part, self.version = answerer.part, answerer.version
        self._answerer, self._left = answerer, stretches

    def answers(self, asked):
        if not self._left:
            raise Killed
        self._left -= 1
        return self._answerer.answers(asked)


@pytest.mark.parametrize("output", ["jsonl", "tsv", "label-studio"])
def test_a_file_that_was_begun_is_gone_on_with_to_the_same_bytes(zoo, lines, tmp_path, output):
    order = Order(lines, "text", output, least_sure_first=output == "tsv")
    answerer = open_answerer(zoo.bundle, "first")
    answer_file(order, answerer, tmp_path / "whole", stretch=8)
    target = tmp_path / "killed"
    for stretches in (2, 1, 0):
        with pytest.raises(Killed):
            answer_file(order, Fragile(answerer, stretches), target, resume=True, stretch=8)
        assert not target.exists()
        with (tmp_path / "killed.part" / "pieces").open("ab") as pieces:
            pieces.write(b"half a row")
        with (tmp_path / "killed.part" / "entries").open("ab") as entries:
            entries.write(b"half an entry")
    counted = Fragile(answerer, 2)
    finished = answer_file(order, counted, target, resume=True, stretch=8)
    assert (finished.rows, finished.left_out) == (40, 0)
    assert target.read_bytes() == (tmp_path / "whole").read_bytes()
    assert not (tmp_path / "killed.part").exists()


def test_what_was_begun_is_not_mixed_with_something_else(zoo, lines, tmp_path):
    out = tmp_path / "out.jsonl"
    with pytest.raises(Killed):
        answer_file(Order(lines, "text"), Fragile(open_answerer(zoo.bundle, "first"), 1), out, stretch=8)
    again = ask("predict", zoo.bundle, lines, "-o", out, "--adapter", "first")
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert "go on with --resume" in again.stderr
    other = ask("predict", zoo.bundle, lines, "-o", out, "--adapter", "first", "--resume", "--threshold", "0.5")
    assert "was begun with another threshold" in other.stderr
    done(zoo.bundle, lines, "-o", out, "--adapter", "first", "--resume")
    assert len(out.read_text().splitlines()) == 40
    assert "is there already" in done(zoo.bundle, lines, "-o", out, "--adapter", "first", "--resume").stderr
    assert ask("predict", zoo.bundle, lines, "-o", out, "--adapter", "first").returncode == 2


def test_kill_9_and_gone_on_with(zoo, write, tmp_path):
    path = write("".join(f"{text}\n" for text in TEXTS * 100), "long.txt")
    arguments = ["predict", zoo.bundle, path, "--adapter", "first", "-o"]
    done(*arguments[1:], tmp_path / "whole.jsonl")
    process = subprocess.Popen(command(*arguments, tmp_path / "killed.jsonl"), stderr=subprocess.DEVNULL)
    entries = tmp_path / "killed.jsonl.part" / "entries"
    while process.poll() is None and not (entries.exists() and entries.stat().st_size):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed.jsonl").exists()
    done(*arguments[1:], tmp_path / "killed.jsonl", "--resume")
    assert (tmp_path / "killed.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_broken_pipe_ends_it_in_silence_and_no_torch_is_needed(zoo):
    code = (
        "import atexit, sys; from lowres_stilts.cli import main; "
        "heavy = {'torch', 'transformers', 'peft'}; "
        "atexit.register(lambda: sys.stderr.write(' '.join(heavy & set(sys.modules)))); "
        "main()"
    )
    words = [sys.executable, "-c", code, "predict", zoo.bundle, "--adapter", "first"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(words, **pipes, text=True) as process:
        process.stdin.write("glad\n" * 64)
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["text"] == "glad"
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write("sad\n" * 6400)
            process.stdin.close()
        errors = process.stderr.read()
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    ("name", "content", "words", "problem"),
    [
        ("a.csv", "id,txt\n1,glad\n", [], "a.csv:2: no column 'text'; did you mean 'txt'? --column text=NAME"),
        ("a.jsonl", '{"text": 7}\n', [], "a.jsonl:1: expected a text"),
        ("a.jsonl", '{"text": "glad", "prediction": 1}\n', [], "there is a column 'prediction' already"),
        ("a.odd", "glad\n", [], "say so with --input-format"),
        ("a.txt", "glad\n", ["--format", "xml"], "--format: 'xml' is none of jsonl"),
        ("a.txt", "glad\n", ["--format", "conll"], "--format conll: not for answers of the family classification"),
        ("a.txt", "glad\n", ["--column", "text"], "--column: 'text' is not OURS=NAME"),
        ("a.txt", "glad\n", ["--sort", "length"], "--sort: 'length' is not uncertainty"),
        ("a.txt", "glad\n", ["--adapter", "none"], "no adapter 'none'; --adapter takes first-intermediate-choice"),
        ("a.jsonl", '{"text": "glad"}\n{"txt": "sad"}\n', [], "a.jsonl:2: no column 'text'"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(zoo, write, tmp_path, name, content, words, problem):
    path = write(content, name)
    chosen = [] if "--adapter" in words else ["--adapter", "first"]
    told = ask("predict", zoo.bundle, path, "-o", tmp_path / "out", *chosen, *words)
    assert told.returncode in {1, 2}
    assert problem in told.stderr
    assert told.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_without_rows_is_a_file_of_answers_without_rows(zoo, write, tmp_path):
    for output, content in (("jsonl", ""), ("label-studio", "[\n\n]\n")):
        out = tmp_path / output
        done(zoo.bundle, write("", "a.txt"), "-o", out, "--adapter", "first", "--format", output)
        assert out.read_text() == content


def test_a_run_answers_for_its_target(zoo, lines):
    run = zoo.packages["first"].parents[2]
    assert done(run, lines).stdout == done(zoo.packages["first"], lines).stdout
