"""A file in the place of a folder is said to be one, and the other way round, by every command."""

import pytest

from tests.commands import ask
from tests.project import write_project
from tests.study.grids import write_study

FILE_FOR_A_FOLDER = {
    "run": "run {recipe} -o {file}",
    "run below it": "run {recipe} -o {file}/run",
    "data.dir": "run {recipe} -o {new} --set data.dir={file}",
    "model.id": "run {recipe} -o {new} --set model.id={file}",
    "evaluate": "evaluate {file}",
    "evaluate --data": "evaluate {run} --data {file}",
    "export": "export {file} -o {new}",
    "export -o": "export {folder} -o {file}",
    "export --onto": "export {package} -o {new} --onto {file}",
    "export --data": "export {package} -o {new} --data {file}",
    "serve": "serve {file}",
    "serve --adapters": "serve {bundle} --adapters {file}",
    "hub list": "hub list {file}",
    "hub show": "hub show {file}",
    "hub verify": "hub verify {file}",
    "hub push": "hub push {file} me/mine",
    "study": "study {study} -o {file}",
    "report": "report {file}",
    "predict": "predict {file} {file} --input-format text -o {new}",
    "score": "score --benchmark xtreme --predictions {file} --references {folder}",
    "score --references": "score --benchmark xtreme --predictions {folder} --references {file}",
}
FOLDER_FOR_A_FILE = {
    "run": "run {folder}",
    "plan": "plan {folder}",
    "study": "study {folder}",
    "new": "new {folder}",
    "data.files": "run {recipe} -o {new} --set data.files.mood.train=.",
    "data check of a recipe": "data check {folder}/none.yaml",
    "export --text": "export {package} -o {new} --languages en --text en={folder}",
    "serve --keys": "serve {bundle} --keys {folder}",
    "serve --config": "serve {bundle} --config {folder}",
    "key": "key me --file {folder}",
    "predict": "predict {bundle} {folder} --input-format text --adapter first -o {new}",
}


@pytest.fixture
def names(tmp_path, tiny_model, private_cache, zoo):
    recipe = write_project(tmp_path, tiny_model)
    (tmp_path / "file").write_text("x\n")
    (tmp_path / "folder").mkdir()
    study = write_study(tmp_path / "study", tiny_model)
    return {
        "recipe": recipe,
        "file": tmp_path / "file",
        "folder": tmp_path / "folder",
        "new": tmp_path / "new",
        "run": zoo.packages["first"],
        "package": zoo.packages["first"],
        "bundle": zoo.bundle,
        "study": study,
    }


@pytest.mark.parametrize("words", FILE_FOR_A_FOLDER.values(), ids=FILE_FOR_A_FOLDER)
def test_a_file_for_a_folder(words, names):
    done = ask(*words.format(**names).split())
    assert done.returncode in {1, 2}
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert f"{names['file']} is a file; a folder is wanted" in done.stderr.splitlines()[-1]
    assert not names["new"].exists()


@pytest.mark.parametrize("words", FOLDER_FOR_A_FILE.values(), ids=FOLDER_FOR_A_FILE)
def test_a_folder_for_a_file(words, names):
    done = ask(*words.format(**names).split())
    assert done.returncode in {1, 2}
    (line,) = done.stderr.splitlines()[-1:]
    assert line.startswith("error: ")
    if "none.yaml" in words:
        assert line.endswith("none.yaml: cannot be read: No such file or directory")
    else:
        assert "is a folder; a file is wanted" in line
    assert not names["new"].exists()
