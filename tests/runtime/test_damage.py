"""Bundles that are damaged, unsafe or contradict themselves are refused, and never end the interpreter."""

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from lowres_stilts.errors import BundleError
from lowres_stilts.export.adapters import write_adapter
from lowres_stilts.runtime import Bundle
from lowres_stilts.runtime.manifest import REQUIRED
from lowres_stilts.runtime.sums import BUNDLE
from lowres_stilts.sums import SUMS
from tests.bundles import copied, summed
from tests.downloads import clone, local, snapshot

FILES = [
    "bundle.json",
    "model.onnx",
    "mixed.onnx",
    "bare.onnx",
    "weights.bin",
    "tokenizer.json",
    "README.md",
    "adapters/first.onnx_adapter",
    "adapters/second.onnx_adapter",
    "SHA256SUMS",
]


@pytest.fixture
def folder(zoo, tmp_path) -> Path:
    return copied(zoo.bundle, tmp_path / "bundle")


def test_these_are_files_of_a_bundle(zoo):
    found = {path.relative_to(zoo.bundle).as_posix() for path in zoo.bundle.rglob("*") if path.is_file()}
    assert set(FILES) < found
    assert found - set(FILES) == {
        f"adapters/{name}.onnx_adapter" for name in set(zoo.packages) - {"first", "second"}
    }


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["flip", "cut", "grow", "empty", "remove", "other", "folder"])
def test_damaged_files_are_refused(folder, name, damage):
    path = folder / name
    data = path.read_bytes()
    middle = len(data) // 2
    path.unlink()
    match damage:
        case "flip":
            path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
        case "cut":
            path.write_bytes(data[:-1])
        case "grow":
            path.write_bytes(data + b"\n")
        case "empty":
            path.write_bytes(b"")
        case "other":
            target = folder.parent / "elsewhere"
            target.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
            path.symlink_to(target)
        case "folder":
            path.mkdir()
    with pytest.raises(BundleError):
        Bundle.load(folder)


@pytest.mark.parametrize("name", [*REQUIRED, "bundle.json"])
def test_a_bundle_without_one_of_its_files_is_refused_when_it_is_opened(folder, name):
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name}"):
        Bundle.load(summed(folder), threads=1)


@pytest.mark.parametrize("name", ["more.txt", "adapters/more.onnx_adapter", "new/file", ".hidden"])
def test_files_that_nobody_summed_are_refused(folder, name):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("x")
    with pytest.raises(BundleError, match="not listed in SHA256SUMS"):
        Bundle.load(folder)


@pytest.mark.parametrize("name", [".cache/evil", ".github", "adapters/.gitattributes", ".gitignore"])
def test_what_only_looks_like_it_is_refused(folder, name):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("x")
    with pytest.raises(BundleError, match=r"plain files only|not listed in SHA256SUMS"):
        Bundle.load(folder)


def test_links_to_other_content_and_to_nothing_are_refused(folder, tmp_path):
    for target, problem in (
        ("/etc/hostname", "changed since it was summed"),
        (tmp_path / "none", "plain files only"),
    ):
        (folder / "weights.bin").unlink()
        (folder / "weights.bin").symlink_to(target)
        with pytest.raises(BundleError, match=problem):
            Bundle.load(folder)


def test_a_linked_folder_is_refused(folder):
    (folder / "more").symlink_to(folder.parent)
    with pytest.raises(BundleError, match="plain files only"):
        Bundle.load(folder)


@pytest.mark.parametrize(
    "name",
    ["../model.onnx", "/etc/passwd", "adapters/../model.onnx", "a/b/c", "model.onnx ", "..", "", "model\\x"],
)
def test_names_that_lead_elsewhere_are_refused(folder, name):
    with (folder / SUMS).open("a") as sums:
        sums.write(f"{'0' * 64}  {name}\n")
    with pytest.raises(BundleError, match=r"SHA256SUMS:\d+: expected a SHA-256"):
        Bundle.load(folder)


@pytest.mark.parametrize("change", ["twice", "folder", "binary", "huge"])
def test_lists_of_sums_that_make_no_sense(folder, change):
    sums = folder / SUMS
    text = sums.read_text()
    match change:
        case "twice":
            sums.write_text(text + text.splitlines()[0] + "\n")
        case "folder":
            sums.write_text(text + f"{'0' * 64}  adapters\n")
        case "binary":
            sums.write_bytes(b"\xff\xfe" + text.encode())
        case "huge":
            sums.write_text(text + "\n" * 1_000_001)
    with pytest.raises(BundleError):
        Bundle.load(folder)


def test_no_bundle_at_all(tmp_path):
    for path, message in ((tmp_path / "nowhere", "no such folder"), (tmp_path, "no SHA256SUMS")):
        with pytest.raises(BundleError, match=message):
            Bundle.load(path)


def change_manifest(folder, **changes):
    path = folder / "bundle.json"
    manifest = json.loads(path.read_text())
    for key, value in changes.items():
        place = manifest
        *above, last = key.split("__")
        for part in above:
            place = place[int(part)] if part.isdigit() else place[part]
        place[last] = value
    path.write_text(json.dumps(manifest))
    return summed(folder)


MISFITS = {
    "an unknown key": ({"extra": 1}, "extra: Extra inputs are not permitted"),
    "an unknown key inside": ({"base__extra": 1}, r"base\.extra"),
    "another format": ({"format": 2}, "format"),
    "a name with a path": ({"adapters__0__name": "../first"}, r"adapters\.0\.name"),
    "a name with a line end": ({"adapters__0__name": "first\n"}, r"adapters\.0\.name"),
    "a family that there is not": ({"adapters__0__family": "mlm"}, r"adapters\.0\.family"),
    "a number that is none": ({"base__hidden": float("nan")}, "hidden"),
    "two of a name": ({"adapters__0__name": "second"}, "two adapters have the same name"),
    "an adapter without a file": ({"adapters__0__name": "third"}, r"third\.onnx_adapter"),
    "too many labels": ({"adapters__3__labels": list("abcd")}, "its head has 3 outputs, not 4"),
    "too few labels": ({"adapters__3__labels": ["a", "b"]}, "its head has 3 outputs, not 2"),
    "another kind of head": ({"adapters__3__family": "tagging"}, "its head has 0 outputs, not 3"),
    "a layer that there is not": ({"embedding__layer": 7}, "hidden states of layer 7"),
}


@pytest.mark.parametrize(("changes", "message"), MISFITS.values(), ids=MISFITS)
def test_manifests_that_do_not_fit_are_refused(folder, changes, message):
    with pytest.raises(BundleError, match=message):
        Bundle.load(change_manifest(folder, **changes))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 1}', "\xff"])
def test_manifests_that_are_no_manifests(folder, text):
    (folder / "bundle.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(BundleError, match=r"bundle\.json"):
        Bundle.load(summed(folder))


GOOD = {
    "head.projection.weight": (64, 3),
    "head.projection.bias": (3,),
    "head.mean": (1,),
    "encoder.layer.0.output.dense.lora_A": (128, 2),
    "encoder.layer.0.output.dense.lora_B": (2, 64),
}
BAD = {
    "another base": {"encoder.layer.9.output.dense.lora_A": (64, 2)},
    "another width": {"encoder.layer.0.output.dense.lora_A": (64, 2)},
    "more axes": {"head.projection.bias": (3, 1)},
    "two ranks": {"encoder.layer.0.output.dense.lora_B": (3, 64)},
    "half a module": {"encoder.layer.0.output.dense.lora_B": None},
    "half a head": {"head.projection.bias": (2,)},
    "no head": {"head.projection.weight": None},
    "a dense layer that nothing takes": {"head.dense.weight": (64, 64), "head.dense.bias": (64,)},
}


def adapter_file(path, **changes):
    shapes = GOOD | changes
    write_adapter(path, {name: np.ones(shape, np.float32) for name, shape in shapes.items() if shape is not None})
    return path


def test_an_adapter_made_by_hand_fits(folder):
    adapter_file(folder / "adapters" / "first.onnx_adapter")
    assert Bundle.load(summed(folder), threads=1).predict(["glad"], "first")


@pytest.mark.parametrize("changes", BAD.values(), ids=BAD)
def test_adapters_whose_weights_do_not_fit_are_refused(folder, changes):
    adapter_file(folder / "adapters" / "first.onnx_adapter", **changes)
    with pytest.raises(BundleError):
        Bundle.load(summed(folder), threads=1)


def test_weights_that_are_no_numbers_are_refused(folder):
    path = folder / "adapters" / "first.onnx_adapter"
    write_adapter(path, {name: np.full(shape, np.nan, np.float32) for name, shape in GOOD.items()})
    with pytest.raises(BundleError, match="no finite numbers"):
        Bundle.load(summed(folder), threads=1)


def test_weights_outside_the_bundle_are_not_read(folder):
    """A graph could name any file of the machine as the place of its weights."""
    secret = folder.parent / "secret.bin"
    secret.write_bytes((folder / "weights.bin").read_bytes())
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../secret.bin"
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(BundleError, match=r"model\.onnx: cannot be used"):
        Bundle.load(summed(folder), threads=1)


PLACES = {
    "a download's notes": (local, ".cache/huggingface/weights.bin"),
    "a roundabout way to them": (local, "adapters/../.CACHE//huggingface/weights.bin"),
    "the repository's file": (local, ".gitattributes"),
    "a clone's folder": (clone, ".git/weights.bin"),
    "another file of the cache": (snapshot, "../../blobs/other"),
}


@pytest.mark.parametrize(("way", "place"), PLACES.values(), ids=PLACES)
def test_weights_that_nobody_summed_are_not_read_though_they_lie_near(folder, tmp_path, way, place):
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = place
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    made = way(summed(folder), tmp_path / "made")
    lying = made / place.lower()
    lying.parent.mkdir(parents=True, exist_ok=True)
    lying.write_bytes((folder / "weights.bin").read_bytes())
    with pytest.raises(BundleError, match=r"model\.onnx: names files that are not the bundle's"):
        Bundle.load(made, threads=1)


@pytest.mark.parametrize("key", ["offset", "length"])
def test_weights_behind_the_end_of_their_file(folder, key):
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    tensor = next(tensor for tensor in model.graph.initializer if tensor.external_data)
    for entry in tensor.external_data:
        if entry.key == key:
            entry.value = str(2**40)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(BundleError, match=r"model\.onnx: cannot be used"):
        Bundle.load(summed(folder), threads=1)


FUZZ = """
import random, sys
from pathlib import Path
from lowres_stilts.errors import BundleError
from lowres_stilts.runtime import Bundle
from lowres_stilts.runtime.manifest import REQUIRED
from lowres_stilts.runtime.sums import write_sums

folder, seed = Path(sys.argv[1]), int(sys.argv[2])
rng = random.Random(seed)
part = Bundle.load(folder, threads=1).adapter("first")
bundle = Bundle.load(folder, threads=1)
for name in sys.argv[3:]:
    path = folder / name
    whole = path.read_bytes()
    for _ in range(40):
        data = bytearray(whole[: rng.choice([len(whole), len(whole), rng.randrange(len(whole))])])
        for _ in range(rng.choice([1, 1, 4])):
            data[rng.randrange(len(data)) if rng.random() < 0.5 else rng.randrange(min(400, len(data)))] = (
                rng.choice([0, 255, rng.randrange(256)])
            ) if data else 0
        path.write_bytes(data)
        write_sums(folder)
        try:
            if name.endswith(".onnx_adapter"):
                bundle.add_adapter(path, part)
                bundle.predict(["glad", ("sad", "sad")], ["first", "second-intermediate"])
            else:
                damaged = Bundle.load(folder, threads=1)
                damaged.predict(["glad", ("sad", "sad")], ["first", "second-intermediate"])
        except BundleError:
            pass
    path.write_bytes(whole)
print("alive")
"""


@pytest.mark.parametrize("name", ["adapters/first.onnx_adapter", "model.onnx", "mixed.onnx"])
def test_changed_bytes_with_new_sums_do_not_end_the_interpreter(folder, name):
    seed = str(random.Random(name).randrange(1000))
    done = subprocess.run(
        [sys.executable, "-c", FUZZ, str(folder), seed, name], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["alive"], done.stderr[-2000:]


def test_sums_are_read_as_they_were_written(zoo):
    assert set(BUNDLE.read(zoo.bundle)) == {
        path.relative_to(zoo.bundle).as_posix()
        for path in zoo.bundle.rglob("*")
        if path.is_file() and path.name != SUMS
    }
