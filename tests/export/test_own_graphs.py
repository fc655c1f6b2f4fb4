"""Modules that cannot be inputs of the base's graph get one of their own, with torch's scores."""

import numpy as np
import pytest

from lowres_stilts.data.examples import TextExample
from lowres_stilts.errors import ExportError
from lowres_stilts.export import between
from lowres_stilts.export.bundle import export_bundle
from lowres_stilts.export.merged import export_merged
from lowres_stilts.export.onto import export_adapter
from lowres_stilts.export.presets import EXACT, PRESETS
from lowres_stilts.export.scores import bundle_answers
from lowres_stilts.runtime import Bundle
from tests.bundles import finished_packages
from tests.hub.adapter_runs import finished_adapters

DORA = {"intermediate": None, "target__transfer": "none", "target__module": {"dora": True, "rank": 2}}
TRAINED = {"trained": True}
"""For one of each, and for the tests of their cards too."""
TEXTS = ["glad sun", "the rain of tea smile sad", "cat"]


def module(kind):
    return {"kind": "bottleneck", "adapter": kind, "reduction": 4}


CASES = {
    "stack": ("stack", "xlm-roberta", TRAINED),
    "bert": ("stack", "bert", {}),
    "xl": ("stack", "xlm-roberta-xl", {}),
    "double": (
        "stack",
        "xlm-roberta",
        {"target__module": module("double_seq_bn"), "intermediate__module": module("double_seq_bn")},
    ),
    "double-xl": ("none", "xlm-roberta-xl", {"target__module": module("double_seq_bn")}),
    "parallel": ("none", "xlm-roberta", {"target__module": module("par_bn")}),
    "parallel-xl": ("none", "xlm-roberta-xl", {"target__module": module("par_bn")}),
    "mixed-kinds": ("stack", "xlm-roberta", {"target__module": module("par_bn")}),
    "fuse": ("fuse", "xlm-roberta", TRAINED),
    "fuse-parallel": ("fuse", "bert", {"intermediate__module": module("par_bn")}),
    "languages": ("languages", "xlm-roberta", TRAINED),
    "languages-bert": ("languages", "bert", {}),
}


@pytest.mark.parametrize("case", CASES)
def test_every_kind_passes_the_gate(case, once, tmp_path):
    """The gate compares the graph with torch, and these modules change what the encoder says."""
    mode, family, changes = CASES[case]
    _, packages = finished_adapters(once, mode, family=family, **changes)
    folder = packages[max(packages)]
    manifest = export_bundle([folder], tmp_path / "bundle", storage=EXACT)
    assert max(manifest.parity["float32"]["scores"].values()) < 1e-4
    assert all(part.own_graph for part in manifest.adapters)
    bundle = Bundle.load(tmp_path / "bundle", threads=1)
    for part in manifest.adapters:
        with_module, without = bundle.embed(TEXTS, part.name), bundle.embed(TEXTS)
        assert np.abs(with_module - without).max() > 1e-3
    if mode == "languages":
        assert [part.language for part in manifest.adapters] == ["en", "sw"]
        first, second = (bundle.embed(TEXTS, part.name) for part in manifest.adapters)
        assert np.abs(first - second).max() > 1e-3


def test_a_bundle_of_all_kinds_answers_as_torch_does(once, tmp_path):
    """LoRA inside the base's graph, DoRA and bottlenecks in their own, and rows of all in one call."""
    _, lora = finished_packages(once, name="lora", intermediate=None, target__transfer="none")
    _, dora = finished_packages(once, name="dora", **DORA)
    _, thin = finished_adapters(once, "stack", name="thin")
    places = [lora["2-target"], dora["2-target"], thin["2-target"]]
    manifest = export_bundle(places, tmp_path / "bundle", storage=EXACT)
    assert {part.name: part.own_graph for part in manifest.adapters} == {"lora": False, "dora": True, "thin": True}
    bundle = Bundle.load(tmp_path / "bundle", threads=1)
    names = ["thin", "lora", "dora", "lora", "thin", "dora"]
    texts = TEXTS * 2
    mixed = bundle.predict(texts, names)
    for text, name, found in zip(texts, names, mixed, strict=True):
        (alone,) = bundle.predict([text], name)
        assert found.scores == pytest.approx(alone.scores, abs=1e-5)


def test_weights_that_graphs_share_are_written_once(once, tmp_path):
    _, lora = finished_packages(once, name="lora", intermediate=None, target__transfer="none")
    _, thin = finished_adapters(once, "stack", name="thin")
    sizes = []
    for places in ([lora["2-target"]], [lora["2-target"], thin["2-target"]]):
        output = tmp_path / f"bundle-{len(places)}"
        export_bundle(places, output, storage=PRESETS["server-cpu"])
        sizes.append((output / "weights.bin").stat().st_size)
    modules = sum(path.stat().st_size for path in thin["2-target"].rglob("*.safetensors"))
    assert sizes[0] < sizes[1] < sizes[0] + 3 * modules


def test_a_module_that_is_left_out_is_noticed(once, tmp_path, monkeypatch):
    _, packages = finished_adapters(once, "stack")
    monkeypatch.setattr(between.Bottlenecks, "after", between.Nothing.after)
    with pytest.raises(ExportError, match="in the float32 graph differs from torch"):
        export_bundle([packages["2-target"]], tmp_path / "bundle", storage=EXACT)
    assert not (tmp_path / "bundle").exists()


def test_such_modules_merge_too_and_language_adapters_alone_have_no_head(once, tmp_path):
    _, packages = finished_adapters(once, "none")
    export_merged(packages["2-target"], tmp_path / "merged", storage=PRESETS["server-cpu"])
    assert (tmp_path / "merged" / "model.onnx").is_file()
    _, spoken = finished_adapters(once, "languages")
    language = next(path for name, path in spoken.items() if "language" in name)
    with pytest.raises(ExportError, match="a language adapter has no head"):
        export_bundle([language], tmp_path / "bundle", storage=EXACT)
    export_bundle([packages["2-target"]], tmp_path / "bundle", storage=EXACT)
    with pytest.raises(ExportError, match="needs a graph of its own"):
        export_adapter(packages["2-target"], tmp_path / "bundle", tmp_path / "more")
    assert not (tmp_path / "more").exists()


def test_answers_of_the_own_graph_have_the_bundles_form(once, tmp_path):
    _, packages = finished_adapters(once, "none")
    export_bundle([packages["2-target"]], tmp_path / "bundle", storage=EXACT)
    bundle = Bundle.load(tmp_path / "bundle", threads=1)
    answers = bundle_answers(bundle, bundle.adapters[0], [TextExample(text, None, None) for text in TEXTS])
    assert set(answers) <= set(bundle.adapter(bundle.adapters[0]).labels)
