import json

import pytest

from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.check import check_folder
from tests.project import call
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


def report_of(folder, *names):
    report = check_folder(folder, [REGISTRY[name] for name in names], tiny_tokenizer())
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
    done = call("data", "check", folder, "--model", tiny_model, "--task", "xnli", "--json")
    assert done.returncode == 0, done.stderr
    assert {row["split"] for row in json.loads(done.stdout)["files"]} == {"train", "dev", "test"}
    broken = call("data", "check", folder, "--model", tiny_model)
    assert broken.returncode == 1
    assert "malformed" in broken.stdout
    assert "of no task" in broken.stdout
    wrong = call("data", "check", folder / "nowhere")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert call("data", "check", folder, "--task", "xnlj").returncode == 2


@pytest.mark.benchmark_data
def test_the_overlap_of_the_published_pan_x_is_found(benchmark_data):
    _, found = report_of(benchmark_data, "panx")
    assert found["panx", "dev", "en"].overlap == 325
    assert found["panx", "train", "en"].examples == 20_000
