"""`--merge`: optimum loads the model like any other, with torch's scores."""

import numpy as np
import pytest
import torch
from optimum.onnxruntime import (
    ORTModelForMultipleChoice,
    ORTModelForQuestionAnswering,
    ORTModelForSequenceClassification,
    ORTModelForTokenClassification,
)
from transformers import AutoTokenizer

from lowres_stilts.errors import ExportError, UsageError
from lowres_stilts.export import merged
from lowres_stilts.export.merged import export_merged
from lowres_stilts.export.presets import EXACT, PRESETS
from lowres_stilts.hub.load import load_package
from lowres_stilts.hub.verify import open_package
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.tasks.load import find_task
from tests.bundles import TRAIN, finished_packages

CLASSES = {
    "mood": ORTModelForSequenceClassification,
    "tags": ORTModelForTokenClassification,
    "asked": ORTModelForQuestionAnswering,
    "choice": ORTModelForMultipleChoice,
}
TEXTS = ["the cat sat", "glad sun smile rain tea"]


def torch_scores(folder, encoded):
    package = open_package(folder)
    name = package.manifest.tasks[0].name
    task = find_task(name, Recipe.model_validate(package.manifest.recipe).tasks, "task")
    loaded = load_package(package, {name: task}, device="cpu")
    loaded.network.eval()
    with torch.no_grad():
        return loaded.network(name, encoded["input_ids"], encoded["attention_mask"]).numpy()


@pytest.fixture(scope="session")
def packages(once):
    """Of every family, on every architecture, with both layouts of heads."""
    found = {}
    for task, architecture, head in (
        ("mood", "bert", "library"),
        ("tags", "xlm-roberta-xl", "library"),
        ("asked", "xlm-roberta", "mean"),
    ):
        _, made = finished_packages(once, architecture, target__task=task, model__head=head)
        found[task] = made["2-target"]
        found["choice"] = made["1-intermediate"]
    return found


@pytest.mark.parametrize("task", CLASSES)
def test_optimum_gives_the_scores_of_torch(packages, task, tmp_path):
    export_merged(packages[task], tmp_path / "merged", storage=EXACT)
    model = CLASSES[task].from_pretrained(tmp_path / "merged")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "merged")
    encoded = tokenizer(TEXTS, padding=True, return_tensors="pt")
    expected = torch_scores(packages[task], encoded)
    keep = encoded["attention_mask"].numpy().astype(bool)
    if task == "choice":
        encoded = {name: value[None] for name, value in encoded.items()}
    output = model(**encoded)
    match task:
        case "asked":
            for column, own in enumerate((output.start_logits, output.end_logits)):
                np.testing.assert_allclose(own.numpy()[keep], expected[..., column][keep], atol=1e-4)
        case "tags":
            np.testing.assert_allclose(output.logits.numpy()[keep], expected[keep], atol=1e-4)
        case "choice":
            np.testing.assert_allclose(output.logits.numpy(), expected.reshape(1, 2), atol=1e-4)
        case "mood":
            np.testing.assert_allclose(output.logits.numpy(), expected, atol=1e-4)
            assert model.config.id2label == {0: "glad", 1: "sad", 2: "calm"}


def test_integer_weights_stay_near(once, tmp_path):
    """Where the model has learned, or rounding would decide between answers that are as good as each other."""
    learned = {"target__train": TRAIN | {"epochs": 8}, "model__head": "library"}
    package = finished_packages(once, "bert", trained=True, **learned)[1]["2-target"]
    export_merged(package, tmp_path / "merged", storage=PRESETS["server-cpu"])
    model = ORTModelForSequenceClassification.from_pretrained(tmp_path / "merged")
    encoded = AutoTokenizer.from_pretrained(tmp_path / "merged")(TEXTS, padding=True, return_tensors="pt")
    expected = torch_scores(package, encoded)
    own = model(**encoded).logits.numpy()
    np.testing.assert_allclose(own, expected, atol=0.5)
    assert own.argmax(-1).tolist() == expected.argmax(-1).tolist()


def test_a_model_too_large_for_one_file_keeps_its_weights_beside_it(packages, tmp_path, monkeypatch):
    monkeypatch.setattr("lowres_stilts.export.write.LARGEST_FILE", 10_000)
    export_merged(packages["mood"], tmp_path / "merged", storage=EXACT)
    assert (tmp_path / "merged" / "model.onnx_data").stat().st_size > 10_000
    model = ORTModelForSequenceClassification.from_pretrained(tmp_path / "merged")
    encoded = AutoTokenizer.from_pretrained(tmp_path / "merged")(TEXTS, padding=True, return_tensors="pt")
    np.testing.assert_allclose(model(**encoded).logits.numpy(), torch_scores(packages["mood"], encoded), atol=1e-4)


def test_a_graph_that_differs_from_torch_is_not_written(packages, tmp_path, monkeypatch):
    whole = merged.head_weights

    def spoiled(item):
        weights = whole(item)
        return weights | {"head.projection.bias": weights["head.projection.bias"] + 1e-3}

    monkeypatch.setattr(merged, "head_weights", spoiled)
    with pytest.raises(ExportError, match=r"the merged float32 graph differs from torch by 0\.001"):
        export_merged(packages["mood"], tmp_path / "merged", storage=EXACT)
    assert list(tmp_path.iterdir()) == []


def test_one_task_into_a_new_folder(zoo, tmp_path):
    with pytest.raises(UsageError, match="takes a package with one task, and this has 3"):
        export_merged(zoo.packages["first-intermediate-tags"], tmp_path / "merged", storage=EXACT)
    with pytest.raises(UsageError, match="is there already"):
        export_merged(zoo.packages["first"], tmp_path, storage=EXACT)
