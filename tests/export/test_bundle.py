"""What is exported and what is refused; nothing half-written stays."""

import json
import shutil

import numpy as np
import pytest
import torch

from lowres_stilts.errors import ExportError, PackageError, UsageError
from lowres_stilts.export import assemble as exporting
from lowres_stilts.export import gate, parity
from lowres_stilts.export.bundle import export_bundle
from lowres_stilts.export.evaluation_data import evaluation_data
from lowres_stilts.export.parity import largest, require, sentences
from lowres_stilts.export.presets import EXACT, PRESETS, Storage
from lowres_stilts.runtime import Bundle
from lowres_stilts.runtime.sums import verify_sums
from lowres_stilts.tasks.load import find_task, open_source
from tests.bundles import finished_packages


@pytest.fixture(autouse=True)
def cache(private_cache):
    return private_cache


def exported(places, output, **settings):
    return export_bundle(places, output, **({"storage": EXACT} | settings))


@pytest.fixture
def run_folder(once):
    """A finished run in NF4 with an attention-only module, as a user would have it."""
    nf4 = {"model__quantize": "nf4", "model__embeddings": "int8"}
    _, packages = finished_packages(
        once, "bert", **nf4,
        intermediate=None, target__transfer="none", target__module={"rank": 2, "targets": "attention"},
        evaluate={"baseline": False, "languages": ["en"]},
    )  # fmt: skip
    return packages["2-target"].parents[2]


def test_a_run_in_nf4_with_a_module_on_some_layers(run_folder, tmp_path):
    manifest = exported([run_folder], tmp_path / "bundle")
    assert manifest.base.quantized_as == "nf4"
    assert set(manifest.parity["float32"]["scores"]) == {"small", "mixed"}  # with the bare encoder
    bundle = Bundle.load(tmp_path / "bundle", threads=1)
    inputs = ["glad sun", "sad rain"]
    assert bundle.predict(inputs, "small")[0].label in {"glad", "sad", "calm"}


EMBEDDINGS = {"int4": "int4", "static-uint8": "int4", "float16": "float16"}


@pytest.mark.parametrize("quantize", ["int8", "uint8", "static-int8", "static-uint8", "int4", "float16"])
def test_rounded_bundles_answer_near_float32(zoo, tmp_path, quantize):
    said = []
    storage = Storage("edge-cpu", quantize, EMBEDDINGS.get(quantize, "int8"))
    manifest = exported(zoo.places, tmp_path / "bundle", storage=storage, say=said.append)
    verify_sums(tmp_path / "bundle")
    assert (manifest.preset, manifest.quantize, manifest.embeddings) == (
        "edge-cpu",
        quantize,
        storage.embeddings,
    )
    assert manifest.parity["least_cosine"] > (0.95 if quantize == "int4" else 0.99)
    assert f"{quantize} graphs" in said
    exact, own = Bundle.load(zoo.bundle, threads=1), Bundle.load(tmp_path / "bundle", threads=1)
    texts = ["glad sun", "sad rain grey", "calm tea sea quiet"]
    np.testing.assert_allclose(own.embed(texts), exact.embed(texts), atol=0.1 if quantize == "int4" else 0.05)
    for found, expected in zip(own.predict(texts, "first"), exact.predict(texts, "first"), strict=True):
        np.testing.assert_allclose(list(found.scores.values()), list(expected.scores.values()), atol=0.1)
    small = sum(path.stat().st_size for path in (tmp_path / "bundle").glob("*.bin"))
    assert small < 0.51 * (zoo.bundle / "weights.bin").stat().st_size


def spoiled(monkeypatch, value, *, form="single", name="encoder.layer.1.output.dense.weight", at=(3, 5)):
    """One weight of one form of the graph is not torch's."""
    whole = exporting.base_model

    def base_model(shape, weights, products, own, layers):
        if own == form:
            weights = dict(weights)
            weights[name] = weights[name].copy()
            weights[name][at] += value
        return whole(shape, weights, products, own, layers)

    monkeypatch.setattr(exporting, "base_model", base_model)


SPOILED = {
    "a little": ({"value": 0.01}, "the float32 graph differs from torch by"),
    "no number": ({"value": np.nan}, "the float32 graph differs from torch by nan"),
    # Only the longest sentence comes this far.
    "no number far behind": (
        {"value": np.nan, "name": "embeddings.position_embeddings.weight", "at": (79, 0)},
        "the float32 graph differs from torch by nan",
    ),
}


@pytest.mark.parametrize(("how", "message"), SPOILED.values(), ids=SPOILED)
def test_a_graph_that_differs_from_torch_is_not_written(zoo, tmp_path, monkeypatch, how, message):
    spoiled(monkeypatch, **how)
    with pytest.raises(ExportError, match=message):
        exported(zoo.places, tmp_path / "out" / "bundle")
    assert [path for path in tmp_path.rglob("*") if "cache" not in path.parts] in ([], [tmp_path / "out"])


def test_a_mixed_form_that_differs_is_not_written(zoo, tmp_path, monkeypatch):
    whole = exporting.write_models

    def write_models(folder, models, weights):
        models = dict(models)
        for tensor in models["mixed.onnx"].graph.initializer:
            if tensor.name == "encoder.layer.1.output.dense.bias":
                # A ramp, as the norm that follows takes a constant out again.
                own = np.frombuffer(tensor.raw_data, np.float32) + np.linspace(0, 0.1, 64, dtype=np.float32)
                tensor.raw_data = own.tobytes()
        whole(folder, models.items(), weights)

    monkeypatch.setattr(exporting, "write_models", write_models)
    for places in (zoo.places, [zoo.packages["first"]]):
        with pytest.raises(ExportError, match="adapter mixed in the float32 graph differs from torch"):
            exported(places, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_an_adapter_that_differs_is_not_written(zoo, tmp_path, monkeypatch):
    whole = exporting.adapter_inputs

    def adapter_inputs(item):
        found = whole(item)
        return {name: value * (1.2 if name.endswith("lora_B") else 1) for name, value in found.items()}

    monkeypatch.setattr(exporting, "adapter_inputs", adapter_inputs)
    with pytest.raises(ExportError, match=r"adapter first.* in the float32 graph differs from torch"):
        exported(zoo.places, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_scores_that_fall_are_refused_and_those_that_hold_are_noted(zoo, tmp_path, monkeypatch):
    tests = evaluation_data(open_source(zoo.recipe.data), 12)
    only = {"mood": tests}
    asked = lambda task: only[task.name](task) if task.name in only else {}  # noqa: E731
    manifest = exported([zoo.packages["first"]], tmp_path / "bundle", storage=PRESETS["server-cpu"], tests=asked)
    scores = manifest.parity["scores"]
    assert set(scores["bundle"]["first"]) == set(scores["float32_torch"]["first"]) == {"en", "sw", "ur"}
    assert scores["mean_loss"] <= scores["tolerance"] == 0.5
    points = {"first": {"en": 0.0, "sw": 0.0, "ur": 0.0}}
    monkeypatch.setattr(gate, "bundle_scores", lambda *_: points["first"])
    with pytest.raises(ExportError, match=r"quantized scores are [\d.]+ points below float32 torch on average"):
        exported([zoo.packages["first"]], tmp_path / "worse", storage=PRESETS["server-cpu"], tests=asked)
    points["first"] = {"en": float("nan"), "sw": 100.0, "ur": 100.0}
    with pytest.raises(ExportError, match="points below float32"):
        exported([zoo.packages["first"]], tmp_path / "worse", storage=PRESETS["server-cpu"], tests=asked)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == ["bundle"]


def test_evaluation_data_is_of_the_languages_that_count(zoo):
    source = open_source(zoo.recipe.data)
    task = find_task("mood", zoo.recipe.tasks, "task")
    assert {code: len(rows) for code, rows in evaluation_data(source, 5)(task).items()} == {
        "en": 5,
        "sw": 5,
        "ur": 5,
    }
    assert set(evaluation_data(source, 5, ["ur", "qu"])(task)) == {"ur"}
    assert evaluation_data(source, 5, ["qu"])(task) == {}
    choice = find_task("choice", zoo.recipe.tasks, "task")
    assert set(evaluation_data(source, 5)(choice)) == {"en"}  # its dev split


def test_evaluation_data_without_answers_is_named(zoo, tmp_path):
    data = shutil.copytree(zoo.recipe.data.dir, tmp_path / "data")
    source = open_source(zoo.recipe.data.model_copy(update={"dir": data}))
    task = find_task("mood", zoo.recipe.tasks, "task")
    told = []
    for path in data.glob("mood-test-*.tsv"):
        path.write_text("".join(line.partition("\t")[0] + "\n" for line in path.read_text().splitlines()))
    assert set(evaluation_data(source, 5, say=told.append)(task)) == {"en"}  # its dev split
    assert told == ["mood test: answers not known in en, sw, ur, so no score there"]
    assert evaluation_data(source, 5, ["sw"], told.append)(task) == {}
    assert told[-1] == "mood: no labelled examples, so its scores are not compared"


def test_how_texts_are_embedded_comes_from_the_first_recipe_that_says_so(once, tmp_path):
    plain = {"intermediate": None, "target__transfer": "none"}
    unsaid, said = (
        shutil.copytree(finished_packages(once, name=name, **plain)[1]["2-target"], tmp_path / name)
        for name in ("one", "two")
    )
    for text, layer in (('"layer": 1', 9), ('"layer": 1', -4)):
        change(said, text, f'"layer": {layer}')
        with pytest.raises(ExportError, match=f"evaluate.retrieval.layer of a package: {layer} is out of range"):
            exported([said], tmp_path / "bundle")
        change(said, f'"layer": {layer}', text)
    for text, default in (('"layer": 1', '"layer": -1'), ('"cls"', '"mean"'), ('"good "', '""')):
        change(unsaid, text, default)
    manifest = exported([unsaid, said], tmp_path / "bundle")
    assert manifest.embedding.model_dump() == {"layer": 1, "pooling": "cls", "prefix": "good ", "max_length": 78}
    alone = exported([unsaid], tmp_path / "alone")
    assert (alone.embedding.layer, alone.embedding.pooling, alone.embedding.prefix) == (2, "mean", "")


def change(package, text, other):
    from lowres_stilts.hub.checksums import write_sums

    path = package / "stilts.json"
    assert text in path.read_text()
    path.write_text(path.read_text().replace(text, other))
    write_sums(package)


def test_what_cannot_be_exported_is_named(zoo, once, tmp_path):
    output = tmp_path / "bundle"
    with pytest.raises(UsageError, match="is there already; choose another folder"):
        exported(zoo.places, tmp_path)
    with pytest.raises(PackageError, match="no such folder"):
        exported([tmp_path / "nowhere"], output)
    with pytest.raises(PackageError, match="another package is called first too; export them apart"):
        exported([zoo.packages["first"], zoo.packages["first"]], output)
    _, packages = finished_packages(once, "bert", intermediate=None, target__transfer="none")
    with pytest.raises(PackageError, match="a bundle has one base, so export them apart"):
        exported([zoo.packages["first"], packages["2-target"]], output)
    assert not output.exists()


def test_a_full_disk_leaves_nothing_behind(zoo, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting, "write_sums", full)
    with pytest.raises(Exception, match="No space left"):
        exported(zoo.places, tmp_path / "out" / "bundle")
    assert list((tmp_path / "out").iterdir() if (tmp_path / "out").exists() else []) == []


def test_sentences_are_in_many_languages():
    found = sentences()
    assert len(found) >= 40
    assert {"en", "sw", "ur", "qu"} <= set(found)
    assert len(set(found.values())) == len(found)


def test_no_number_is_no_small_difference():
    nothing, something = np.zeros(3, np.float32), np.array([0, np.nan, 0], np.float32)
    assert np.isnan(largest([nothing, something], [nothing, nothing]))
    assert largest([nothing], [nothing + 2]) == 2
    for value in (np.nan, np.inf, 1.1e-4):
        with pytest.raises(ExportError, match="please report"):
            require("a graph", value)
    assert require("a graph", parity.LARGEST_DIFFERENCE) == 1e-4


def test_the_manifest_is_what_was_returned(zoo, tmp_path):
    manifest = exported([zoo.packages["first"]], tmp_path / "bundle")
    assert json.loads((tmp_path / "bundle" / "bundle.json").read_text()) == manifest.model_dump(mode="json")
    assert torch.is_grad_enabled()
