import json
import multiprocessing
import os
from pathlib import Path

import pytest

from lowres_stilts.caches import OURS
from lowres_stilts.data.examples import TextExample
from lowres_stilts.errors import RunError
from lowres_stilts.storage import alone_with_cache, cache_dir, locked, using_cache
from lowres_stilts.tasks.cache import cached_features
from lowres_stilts.tasks.catalog import REGISTRY
from tests.commands import ask, call
from tests.project import write_project
from tests.tiny import tiny_tokenizer


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A cache in a home of its own, with something of every kind."""
    for name in ("LOWRES_STILTS_CACHE", "XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE", "HF_DATASETS_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    files = {
        "starter-multilingual-minilm-abc/model.safetensors": 3000,
        "starter-multilingual-minilm-abc-4-layers/model.safetensors": 1000,
        "starter-data-1.2-v3/reply/train-en.tsv": 500,
        ".starter-data-1.2-v3.x.tmp/reply/train-en.tsv": 70,
        "features/.0.x.tmp/ids": 7,
        "features/0/ids": 40,
        "packages/someone-names-abc/README.md": 6,
        "locks/0/.lock": 0,
        "pulls/1/.lock": 0,
        "notes.txt": 9,
    }
    for name, size in files.items():
        path = cache_dir() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
    hub = tmp_path / "home" / ".cache" / "huggingface"
    for name, size in {"hub/models--a/blobs/x": 2000, "datasets/b/y.arrow": 300}.items():
        (hub / name).parent.mkdir(parents=True)
        (hub / name).write_bytes(bytes(size))
    return cache_dir()


def listed(*arguments):
    done = ask("cache", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return {part["kind"]: part["bytes"] for part in json.loads(done.stdout)["parts"]}


SIZES = {"starter-model": 4000, "starter-data": 500, "features": 40, "packages": 6, "leftovers": 77}


def test_every_kind_is_listed_with_its_size(root):
    assert root.is_relative_to(Path(os.environ["HOME"]))
    assert listed("list") == SIZES | {"hub": 2000, "hub-datasets": 300}
    shown = ask("cache", "list").stdout
    assert shown.startswith(f"{root}\n  starter-model     4.0 kB  the starter")
    assert "hub               2.0 kB" in shown


def test_a_dry_run_removes_nothing(root):
    before = sorted(root.rglob("*"))
    assert listed("clean", "--dry-run") == SIZES
    assert [path for path in sorted(root.rglob("*")) if "in-use" not in path.parts] == before


def test_without_a_yes_nothing_is_removed(root):
    done = call("cache", "clean", stdin=-3)  # nobody to ask
    assert done.returncode == 2
    assert done.stderr == "error: say with --yes that it may be removed, or look with --dry-run\n"
    assert listed("list") == SIZES | {"hub": 2000, "hub-datasets": 300}


def test_what_is_named_is_removed_and_nothing_else(root):
    assert listed("clean", "features", "--yes") == {"features": 40}
    assert listed("list") == SIZES | {"features": 0, "hub": 2000, "hub-datasets": 300}
    assert "starter-model     4.0 kB  2 removed\n" in ask("cache", "clean", "-y").stdout
    assert sum(listed("list").values()) == 2300
    assert (root / "notes.txt").exists()


def test_other_kinds_are_refused(root):
    done = ask("cache", "clean", "hub")
    assert done.returncode == 2
    assert done.stderr == f"error: 'hub' is none of {', '.join(OURS)}; for the Hub's, use `hf cache`\n"


def test_what_is_locked_stays(root):
    with locked(root / "locks" / "0"):
        ask("cache", "clean", "--yes")
        assert (root / "locks" / "0").is_dir()
        assert not (root / "pulls" / "1").exists()
    ask("cache", "clean", "--yes")
    assert not (root / "locks" / "0").exists()


def hold(ready, done):
    with using_cache():
        ready.set()
        done.wait(60)


def test_a_process_that_works_with_it_keeps_all_until_it_ends(root):
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    process = context.Process(target=hold, args=(ready, done))
    process.start()
    try:
        assert ready.wait(60)
        refused = ask("cache", "clean", "--yes")
        assert refused.returncode == 1
        assert refused.stderr == f"error: {root}: in use by process {process.pid}; wait for it or stop it\n"
        assert (root / "features" / "0").is_dir()
    finally:
        process.kill()
        process.join()
    assert len(list((root / "in-use").glob("[0-9]*"))) == 1
    assert ask("cache", "clean", "--yes").returncode == 0
    assert not list((root / "in-use").glob("[0-9]*"))
    assert not (root / "features" / "0").exists()


def test_a_run_works_with_it(root, tmp_path, tiny_model, monkeypatch):
    seen = []

    def look(*_, **__):
        with pytest.raises(RunError, match="in use by process"), alone_with_cache():
            pass
        seen.append(True)
        raise RunError("enough")

    monkeypatch.setattr("lowres_stilts.pipeline.arms.load_model", look)
    assert ask("run", write_project(tmp_path, tiny_model), "-o", tmp_path / "run").returncode == 1
    assert seen
    with alone_with_cache():
        pass


def test_a_cache_that_cannot_be_written_is_worked_with(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LOWRES_STILTS_CACHE", str(tmp_path / "file"))
    with using_cache():
        pass


def test_nested_uses_are_counted(root):
    with using_cache(), using_cache():
        pass
    assert not list((root / "in-use").glob("[0-9]*"))


def test_features_in_use_can_be_read_on(root):
    task, examples = REGISTRY["mlm"], [TextExample(text, None, None) for text in ("the cat ran", "sad rain")]
    features = cached_features(task, examples, tiny_tokenizer(), 16)
    assert ask("cache", "clean", "features", "--yes").returncode == 0
    assert len(features.sequences) == 3
    assert not any(path.is_dir() for path in (root / "features").iterdir() if not path.name.startswith("."))


def test_no_cache_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("LOWRES_STILTS_CACHE", str(tmp_path / "none"))
    assert set(listed("clean", "--yes").values()) <= {0}
    assert not (tmp_path / "none").exists()


def test_a_file_in_its_place_is_said_to_be_one(tmp_path, tiny_model, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LOWRES_STILTS_CACHE", str(tmp_path / "file"))
    recipe = write_project(tmp_path, tiny_model)
    for words in (("cache", "list"), ("cache", "clean", "--yes"), ("run", recipe, "-o", tmp_path / "run")):
        done = ask(*words)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith(f"error: {tmp_path / 'file'} is a file; a folder is wanted")
