"""An adapter in a folder of its own, loaded into a bundle that is open."""

import json
import shutil

import pytest

from lowres_stilts.errors import BundleError, ExportError, UsageError
from lowres_stilts.export.bundle import export_bundle
from lowres_stilts.export.onto import export_adapter
from lowres_stilts.export.presets import EXACT
from lowres_stilts.runtime import Bundle
from lowres_stilts.sums import sha256_of
from tests.bundles import finished_packages, summed

TEXTS = ["glad sun", "the rain of tea smile sad", "cat"]


@pytest.fixture(scope="session")
def made(zoo, once):
    """A bundle without `first`, and `first` in a folder."""

    def make(folder):
        export_bundle([zoo.packages["second"]], folder / "bundle", storage=EXACT)
        export_adapter(zoo.packages["first"], folder / "bundle", folder / "first")

    return once("onto", make)


def test_it_answers_as_if_it_had_been_exported_with_the_bundle(zoo, made):
    before = {path.name: sha256_of(path) for path in made.glob("bundle/*") if path.is_file()}
    bundle = Bundle.load(made / "bundle", threads=1)
    part = bundle.load_adapter(made / "first")
    assert part == bundle.adapter("first")
    assert bundle.adapters == ("second", "first")
    whole = Bundle.load(zoo.bundle, threads=1).predict(TEXTS, "first")
    for own, other in zip(bundle.predict(TEXTS, "first"), whole, strict=True):
        assert own.scores == pytest.approx(other.scores, abs=1e-6)
    assert before == {path.name: sha256_of(path) for path in made.glob("bundle/*") if path.is_file()}
    described = json.loads((made / "first" / "adapter.json").read_text())
    assert described["parity"]["float32"]["scores"]["first"] < 1e-4
    assert described["parity"]["scores"] is None


def test_a_damaged_folder_is_refused_and_the_bundle_goes_on(made, tmp_path):
    bundle = Bundle.load(made / "bundle", threads=1)
    folder = shutil.copytree(made / "first", tmp_path / "first")
    file = folder / "first.onnx_adapter"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(BundleError, match="changed since it was summed"):
        bundle.load_adapter(folder)
    file.unlink()
    with pytest.raises(BundleError, match="missing; get the adapter anew"):
        bundle.load_adapter(summed(folder))
    (folder / "adapter.json").unlink()
    with pytest.raises(BundleError, match=r"no adapter\.json, so this is no adapter's folder"):
        bundle.load_adapter(summed(folder))
    with pytest.raises(BundleError, match="no such folder"):
        bundle.load_adapter(tmp_path / "nowhere")
    assert bundle.adapters == ("second",)


def test_another_base_is_refused(zoo, made, once, tmp_path):
    _, packages = finished_packages(once, "bert", intermediate=None, target__transfer="none")
    with pytest.raises(ExportError, match="its base is"):
        export_adapter(packages["2-target"], made / "bundle", tmp_path / "out")
    export_bundle([packages["2-target"]], tmp_path / "bundle", storage=EXACT)
    with pytest.raises(BundleError, match="export it for this one"):
        Bundle.load(tmp_path / "bundle", threads=1).load_adapter(made / "first")
    with pytest.raises(UsageError, match="takes a package with one adapter"):
        export_adapter(zoo.packages["first-intermediate-tags"], made / "bundle", tmp_path / "out")
    with pytest.raises(UsageError, match="is there already"):
        export_adapter(zoo.packages["first"], made / "bundle", made / "first")
    assert not (tmp_path / "out").exists()
