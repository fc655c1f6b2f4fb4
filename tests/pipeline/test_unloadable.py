"""A model that cannot be loaded is one line, and leaves no run folder behind."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from tests.commands import ask, call
from tests.project import write_project
from tests.shell import hub_environment


def _without(name):
    def damage(model):
        (model / name).unlink()

    return damage


def _config(**changes):
    def damage(model):
        path = model / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return damage


def _cut(model):
    path = model / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def _tensors(change):
    def damage(model):
        path = model / "model.safetensors"
        save_file(change(load_file(path)), path, metadata={"format": "pt"})

    return damage


LAYER = "encoder.layer.0.output.dense.weight"
DAMAGES = {
    "no configuration": _without("config.json"),
    "no weights": _without("model.safetensors"),
    "no tokenizer": _without("tokenizer.json"),
    "another architecture": _config(model_type="gpt2"),
    "no architecture at all": _config(model_type="surprise"),
    "a broken configuration": lambda model: (model / "config.json").write_text("{"),
    "half of the weights": _cut,
    "a layer less": _tensors(lambda tensors: {name: t for name, t in tensors.items() if name != LAYER}),
    "a layer of another size": _tensors(lambda tensors: tensors | {LAYER: tensors[LAYER][:32].clone()}),
    "a broken tokenizer": lambda model: (model / "tokenizer.json").write_text("{"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_nothing_is_left_behind(damage, tmp_path, tiny_model, private_cache):
    model = shutil.copytree(tiny_model, tmp_path / "model")
    damage(model)
    recipe = write_project(tmp_path, model)
    done = ask("run", recipe, "-o", tmp_path / "runs" / "mine")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert str(model) in line
    assert not (tmp_path / "runs" / "mine").exists()


def test_an_empty_folder_of_the_users_own_stays(tmp_path, private_cache):
    recipe = write_project(tmp_path, tmp_path / "nowhere")
    folder = tmp_path / "mine"
    folder.mkdir()
    assert ask("run", recipe, "-o", folder).returncode == 1
    assert list(folder.iterdir()) == []


def test_a_hub_that_is_away_is_named(tmp_path, private_cache):
    recipe = write_project(tmp_path, tmp_path)
    environment = hub_environment("http://127.0.0.1:9", tmp_path / "home", HF_HUB_OFFLINE="1")
    done = call("run", recipe, "-o", tmp_path / "run", "--set", "model.id=some/model", env=environment)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: model.id: the Hugging Face model some/model cannot be")
    assert not (tmp_path / "run").exists()


def test_work_that_was_done_stays(tmp_path, tiny_model, private_cache):
    recipe = write_project(tmp_path, tiny_model)
    lost = ["--set", "target.train.lr=1e30", "--set", "target.train.clip_norm=1e30"]
    done = ask("run", recipe, "-o", tmp_path / "run", *lost)
    assert done.returncode == 1, done.stderr
    assert (tmp_path / "run" / "phases" / "1-intermediate" / "module").is_dir()
    assert (tmp_path / "run" / "log.jsonl").is_file()
