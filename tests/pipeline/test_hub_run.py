"""A whole run whose data is a data set in the Hub's layout."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from tests.commands import ask

CLASSES = ["entailment", "neutral", "contradiction"]


def write_xnli(folder, rows=24):
    """`facebook/xnli` as the Hub has it: a configuration for each language, Parquet, labels as numbers."""
    configs = []
    for language in ("en", "sw"):
        files = []
        for split in ("train", "validation", "test"):
            path = folder / language / f"{split}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            table = {
                "premise": ["the cat sat", "happy sun", "sad rain"] * (rows // 3),
                "hypothesis": ["the dog ran", "glad smile", "cry grey"] * (rows // 3),
                "label": [0, 1, 2] * (rows // 3),
            }
            pq.write_table(pa.table(table), path)
            files.append({"split": split, "path": f"{language}/{split}.parquet"})
        names = {str(number): name for number, name in enumerate(CLASSES)}
        text = [{"name": name, "dtype": "string"} for name in ("premise", "hypothesis")]
        label = {"name": "label", "dtype": {"class_label": {"names": names}}}
        configs.append((language, files, [*text, label]))
    card = {
        "configs": [{"config_name": name, "data_files": files} for name, files, _ in configs],
        "dataset_info": [{"config_name": name, "features": features} for name, _, features in configs],
    }
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump(card)}---\n")


def test_a_run_reads_training_and_test_data_in_the_hubs_layout(tmp_path, tiny_model, private_cache, monkeypatch):
    write_xnli(tmp_path / "facebook" / "xnli")
    train = {"epochs": 1, "lr": 1e-3, "tokens_per_batch": 256}
    recipe = {
        "name": "hub",
        "model": {"id": str(tiny_model), "device": "cpu"},
        "data": {"source": "hub"},
        "target": {"task": "xnli", "transfer": "none", "module": {"rank": 4, "alpha": 8}, "train": train},
        "evaluate": {"languages": ["en", "sw"], "bootstrap": 100},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    monkeypatch.chdir(tmp_path)
    done = ask("run", "recipe.yaml", "-o", "run", "--json")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert set(results["scores"]["xnli"]) == {"en", "sw"}
    assert results["data_revisions"] == {"xnli": "local"}
    assert results["phases"][0]["tasks"]["xnli"]["examples"] == 24


def test_a_language_that_the_data_set_lacks_is_named(tmp_path, tiny_model, private_cache, monkeypatch):
    write_xnli(tmp_path / "facebook" / "xnli")
    recipe = {
        "name": "hub",
        "model": {"id": str(tiny_model), "device": "cpu"},
        "data": {"source": "hub"},
        "target": {"task": "xnli", "transfer": "none"},
        "evaluate": {"languages": ["th"]},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    monkeypatch.chdir(tmp_path)
    done = ask("run", "recipe.yaml", "-o", "run")
    assert done.returncode == 1
    assert "th" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
