import dataclasses
import json

import pytest

from lowres_stilts.recipe.data import CustomTask
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.check import FileReport, check_folder
from lowres_stilts.tasks.load import custom_task
from lowres_stilts.tasks.masked import parse_plain_text, read_text_lines
from lowres_stilts.tasks.retrieval import read_mining, read_parallel
from lowres_stilts.tasks.source import FolderSource
from lowres_stilts.tasks.task import Task
from tests.commands import ask
from tests.project import write_project
from tests.tiny import tiny_tokenizer


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


@pytest.fixture
def folder(tmp_path):
    return write(
        tmp_path / "data",
        {
            "xnli/train-en.tsv": "the cat\ta dog\tneutral\nsun\train\tentailment\n",
            "xnli/dev-en.tsv": "tea\tsea\tneutral\nthe cat\ta dog\tneutral\n",
            "xnli/test-sw.tsv": "sun\train\n",
            "panx/train-en.tsv": "cat\tO\nran\tB-CAR\n",
            "tatoeba/sw-en.sw": "tea\n",
            "tatoeba/sw-en.en": "sun\n",
            "notes.csv": "a,b\n",
        },
    )


def lines(*objects):
    return "".join(f"{json.dumps(item)}\n" for item in objects)


def plain_texts(**fields):
    """A task of one text per line."""
    files = {split: f"{split}-{{lang}}.txt" for split in ("train", "dev", "test")}
    texts = Task("mine", "mlm", "", ("sw",), "accuracy", read_text_lines, parse_plain_text, files=files)
    return dataclasses.replace(texts, **fields)


def report_of(folder, *names):
    report = check_folder(FolderSource(folder), [REGISTRY[name] for name in names], tiny_tokenizer())
    return report, {(found.task, found.split, found.language): found for found in report.files}


def test_counts_labels_lengths_and_overlaps(folder):
    _, found = report_of(folder, "xnli", "tatoeba")
    train, dev, test = (found["xnli", *place] for place in (("train", "en"), ("dev", "en"), ("test", "sw")))
    assert (train.examples, train.overlap, train.labels) == (2, 0, {"neutral": 1, "entailment": 1})
    assert (dev.overlap, dev.overlap_examples) == (1, [2])
    assert (test.overlap, test.labels) == (1, {"unlabelled": 1})
    assert train.pieces["longest"] >= train.pieces["median"] > 2
    assert train.pieces["above_max_length"] == 0
    assert found["tatoeba", "test", "sw"].examples == 1


ASKED = {"id": "1", "question": "the cat", "context": "sat"}
ANSWERS = {"answers": [{"text": "sat", "answer_start": 0}]}
CHOICE = {"prompt": "the", "choices": ["x", "yz"], "label": 1}
SETTINGS = {"classification": {"labels": ["a", "b"], "pair": True}, "tagging": {"labels": ["O", "X"]}}


@pytest.mark.parametrize(
    ("family", "changes", "file", "content", "labels", "longest"),
    [
        ("classification", {}, "x.tsv", "the cat\tsat\ta\n", {"a": 1}, 8),
        ("tagging", {}, "x.tsv", "the\tO\ncat\tX\nsat\tO\n", {"O": 2, "X": 1}, 5),
        ("tagging", {}, "x.tsv", "the\ncat\n", {"unlabelled": 1}, 4),
        ("multiple_choice", {}, "x.jsonl", lines(CHOICE), {"1": 1}, 8),
        (
            "qa",
            {"metric": "squad_v2"},
            "x.jsonl",
            lines(ASKED | ANSWERS, ASKED | {"id": "2", "answers": []}),
            {"labelled": 1, "no answer": 1},
            8,
        ),
        ("retrieval", {}, "x.sw", "the cat sat\n", {"labelled": 1}, 5),
        ("retrieval", {"pool": read_mining}, "x.sw", "s1\tthe cat\n", {"unlabelled": 1}, 4),
    ],
)
def test_every_family_counts_its_labels_and_the_pieces_of_its_fields(
    family, changes, file, content, labels, longest, tmp_path
):
    task = custom_task("mine", CustomTask(family=family, languages=["sw"], **SETTINGS.get(family, {})))
    write(tmp_path, {file: content, "x.en": "1\tsun\n" if "pool" in changes else "sun\n"})
    task = dataclasses.replace(task, files={"test": file}, **changes)
    (found,) = check_folder(FolderSource(tmp_path), [task], tiny_tokenizer()).files
    assert found.error is None
    assert (found.labels, found.pieces["longest"]) == (labels, longest)


def test_lengths_are_summed_up_and_the_first_overlaps_shown(tmp_path):
    write(
        tmp_path, {"train-en.txt": "the\ncat\nsat\n", "test-sw.txt": "the\ncat\nthe cat\nsat\nthe cat dog\ncat\n"}
    )
    report = check_folder(FolderSource(tmp_path), [plain_texts(max_length=4)], tiny_tokenizer())
    assert report.files[1] == FileReport(
        "mine", "test", "sw", str(tmp_path / "test-sw.txt"),
        examples=6, labels={"labelled": 6},
        pieces={"median": 3, "p95": pytest.approx(4.75), "longest": 5, "above_max_length": 0.1667},
        overlap=4, overlap_examples=[1, 2, 4],
    )  # fmt: skip


def test_all_of_a_large_file_is_counted(tmp_path):
    write(tmp_path, {"test-sw.txt": "the cat sat\n" + "the\n" * 1000})
    (found,) = check_folder(FolderSource(tmp_path), [plain_texts()], tiny_tokenizer()).files
    assert (found.examples, found.pieces["longest"], found.pieces["median"]) == (1001, 5, 3)


def test_english_is_looked_for_in_training_and_only_the_tasks_languages_in_test(tmp_path):
    names = ("train-en.txt", "train-sw.txt", "test-en.txt", "test-sw.txt")
    for absent, missing in (("train-sw", []), ("train-en", ["train-en"]), ("test-sw", ["test-sw"])):
        folder = write(tmp_path / absent, {name: "the\n" for name in names if not name.startswith(absent)})
        report = check_folder(FolderSource(folder), [plain_texts()], tiny_tokenizer())
        assert report.missing == [str(folder / f"{name}.txt") for name in sorted([*missing, "dev-en"])]
        assert report.unused == [str(folder / "test-en.txt")]


def test_a_pool_needs_no_training_data(tmp_path):
    files = {split: f"{split}-{{lang}}.tsv" for split in ("train", "test")}
    task = Task("pairs", "retrieval", "", ("sw",), "accuracy", pool=read_parallel, files=files)
    write(tmp_path, {"test-sw.tsv": "sun\ttea\n"})
    assert check_folder(FolderSource(tmp_path), [task], tiny_tokenizer()).missing == []


def test_files_beside_others_hidden_ones_and_descriptions_are_no_unused_data(tmp_path):
    used = {
        "bucc2018/zh-en.dev.zh": "1\tsun\n",
        "bucc2018/zh-en.dev.en": "2\ttea\n",
        "bucc2018/zh-en.dev.gold": "1\t2\n",
    }
    write(tmp_path, used | {"README.md": "", "make.py": "", "raw/.part": "", "raw/x.gold": ""})
    report = check_folder(FolderSource(tmp_path), [REGISTRY["bucc2018"]], tiny_tokenizer())
    assert report.unused == [str(tmp_path / "raw" / "x.gold")]


def test_each_file_is_told_and_tasks_without_any_are_left_out(folder):
    told = []
    tasks = [REGISTRY[name] for name in ("pawsx", "xnli")]
    report = check_folder(FolderSource(folder), tasks, tiny_tokenizer(), told.append)
    assert told == [str(folder / "xnli" / f"{name}.tsv") for name in ("train-en", "dev-en", "test-sw")]
    assert [found.file for found in report.files] == told
    found = report.as_json()
    assert (found["missing"], found["unused"]) == (report.missing, report.unused)
    assert [row["overlap_examples"] for row in found["files"]] == [[], [2], [1]]


def test_what_is_missing_and_what_belongs_to_no_task(folder):
    report, _ = report_of(folder, "xnli", "tatoeba", "panx")
    assert str(folder / "xnli" / "test-en.tsv") in report.missing
    assert not any("sw-en" in name for name in report.missing)
    assert report.unused == [str(folder / "notes.csv")]


def test_a_malformed_file_is_reported_with_its_line_and_the_others_are_read(folder):
    report, found = report_of(folder, "panx", "xnli")
    (broken,) = report.malformed
    assert broken.error.startswith(f"{folder / 'panx' / 'train-en.tsv'}:2: tag 'B-CAR'")
    assert found["xnli", "train", "en"].examples == 2


def test_the_command(folder, tiny_model):
    done = ask("data", "check", folder, "--model", tiny_model, "--task", "xnli", "--json")
    assert done.returncode == 0, done.stderr
    assert {row["split"] for row in json.loads(done.stdout)["files"]} == {"train", "dev", "test"}
    broken = ask("data", "check", folder, "--model", tiny_model)
    assert broken.returncode == 1
    assert "malformed" in broken.stdout
    assert "of no task" in broken.stdout
    (folder / "other").mkdir()
    nothing = ask("data", "check", folder / "other", "--model", tiny_model)
    assert (nothing.returncode, nothing.stdout.splitlines()[-1]) == (
        1,
        "no file of any task is here; to check files of your own, give the recipe that names them",
    )
    wrong = ask("data", "check", folder / "nowhere")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert ask("data", "check", folder, "--task", "xnlj").returncode == 2


def test_a_recipe_is_checked_with_its_own_files(tmp_path, tiny_model):
    recipe = write_project(tmp_path, tiny_model)
    done = ask("data", "check", recipe, "--json")
    assert done.returncode == 0, done.stderr
    rows = {(row["task"], row["split"], row["language"]): row for row in json.loads(done.stdout)["files"]}
    assert {key[:2] for key in rows} == {
        *(("choice", split) for split in ("train", "dev")),
        *(("mood", split) for split in ("train", "dev", "test")),
    }
    assert rows["mood", "test", "ur"]["labels"] == {"glad": 8, "sad": 8, "calm": 8}
    assert rows["mood", "train", "en"]["file"] == str(tmp_path / "data" / "mood-train-en.tsv")
    (tmp_path / "data" / "mood-test-ur.tsv").unlink()
    (tmp_path / "data" / "mood-dev-en.tsv").write_text("glad\tglad\nno tab\n")
    broken = ask("data", "check", recipe, "--task", "mood")
    assert broken.returncode == 1
    assert f"missing: {tmp_path / 'data' / 'mood-test-ur.tsv'}\n" in broken.stdout
    assert f"malformed: {tmp_path / 'data' / 'mood-dev-en.tsv'}:2: " in broken.stdout
    assert "of no task" not in broken.stdout
    assert "choice" not in broken.stdout
    wrong = ask("data", "check", recipe, "--task", "xnli")
    assert wrong.stderr == "error: --task: unknown task 'xnli'; the recipe has choice, mood\n"


def test_only_languages_and_splits_that_a_run_reads_are_missed(tmp_path, tiny_model):
    changes = {"evaluate__languages": ["en", "sw"], "intermediate__tasks": ["tags"]}
    recipe = write_project(tmp_path, tiny_model, **changes, data__files__tags={"train": "tags-train-en.tsv"})
    (tmp_path / "data" / "mood-test-ur.tsv").unlink()
    done = ask("data", "check", recipe)
    assert (done.returncode, done.stderr) == (0, "")
    assert "missing" not in done.stdout
    (tmp_path / "data" / "tags-train-en.tsv").unlink()
    assert ask("data", "check", recipe).returncode == 1


@pytest.mark.slow
@pytest.mark.benchmark_data
def test_the_overlap_of_the_published_pan_x_is_found(benchmark_data):
    _, found = report_of(benchmark_data, "panx")
    assert found["panx", "dev", "en"].overlap == 325
    assert found["panx", "train", "en"].examples == 20_000
