"""Adapters and bundles that somebody made to do harm: refused, by an interpreter that goes on."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest

from lowres_stilts.errors import BundleError
from lowres_stilts.export.adapters import write_adapter
from lowres_stilts.runtime import Bundle, network
from tests.bundles import copied, summed
from tests.flat_adapters import Parameter, written

BIAS = Parameter("head.projection.bias", [3], bytes(6))
REST = [Parameter("head.projection.weight", [64, 3], bytes(384)), Parameter("head.mean", [1], bytes(2))]


def biased(**changes):
    return written([replace(BIAS, **changes), *REST])


SOUND = written([BIAS, *REST])
CRAFTED = {
    "noise": os.urandom(5000),
    "zeros": bytes(5000),
    "nothing": b"",
    "noise behind a sound start": SOUND[:8] + os.urandom(5000),
    "half of a file": SOUND[: len(SOUND) // 2],
    "a root far outside": b"\xf0\xff\xff\x7f" + SOUND[4:],
    "another version": written([BIAS, *REST], version=7),
    "a giant size": biased(dims=[2**40]),
    "sizes whose product is nothing in 64 bits": biased(dims=[2**32, 2**32]),
    "a negative size": biased(dims=[-3]),
    "two negative sizes": biased(dims=[-1, -3]),
    "larger than its bytes": biased(dims=[4]),
    "smaller than its bytes": biased(dims=[2]),
    "no bytes and a giant size": biased(dims=[0, 2**62], raw=b""),
    "no bytes at all": biased(raw=None),
    "no sizes": biased(dims=None),
    "no axes": biased(dims=[], raw=bytes(2)),
    "very many axes": biased(dims=[1] * 100_000 + [3]),
    "no name": biased(name=None),
    "a name without end": biased(name="x" * 5_000_000),
    "a name with a line's end": biased(name="head\nINFO all is well"),
    "strings, which are pointers": biased(kind=8, dims=[3], raw=b"\xff" * 96),
    "a type that there is not": biased(kind=99),
    "a type below all": biased(kind=-1),
    "a type that numpy does not have": biased(kind=16),
    "half bytes": biased(kind=22, raw=bytes(3)),
    "many inputs": written([replace(BIAS, name=f"x{number}") for number in range(50_000)]),
    "no inputs": written([]),
}
TRY = """
import sys
from pathlib import Path
from lowres_stilts.errors import BundleError
from lowres_stilts.runtime import Bundle

bundle = Bundle.load(sys.argv[1], threads=1)
part = bundle.adapter("first")
for path in sorted(Path(sys.argv[2]).iterdir(), key=lambda path: int(path.name)):
    try:
        bundle.add_adapter(path, part)
        bundle.predict(["glad", ("sad", "sad")], ["first", "second-intermediate"])
        print("taken")
    except BundleError as error:
        print("refused", len(str(error)), str(error).count(chr(10)))
"""


def test_crafted_adapters_are_refused_one_after_the_other(zoo, tmp_path):
    """In one interpreter, so that what one of them breaks is seen by the next; the last one is sound."""
    for number, data in enumerate([*CRAFTED.values(), SOUND]):
        (tmp_path / str(number)).write_bytes(data)
    command = [sys.executable, "-c", TRY, str(zoo.bundle), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    *refused, last = done.stdout.splitlines()
    assert last == "taken"
    for name, line in zip(CRAFTED, refused, strict=True):
        word, length, lines = line.split()
        assert (word, int(lines)) == ("refused", 0), name
        assert int(length) < 1000, name


def test_a_rank_without_reason_is_not_stacked_with_others(zoo, bundle_with, monkeypatch):
    """Adapters that share a batch are padded to the largest: one could take all memory."""
    rank = 20_000
    shapes = {"head.projection.weight": (64, 3), "head.projection.bias": (3,), "head.mean": (1,),
              "encoder.layer.0.output.dense.lora_A": (128, rank),
              "encoder.layer.0.output.dense.lora_B": (rank, 64)}  # fmt: skip
    bundle = bundle_with({name: np.full(shape, 1e-4, np.float32) for name, shape in shapes.items()})
    texts, names = ["glad", ("sad", "sad"), "rain"], ["first", "second-intermediate", "first"]
    together = bundle.predict(texts, names)
    monkeypatch.setattr(network, "LARGEST_STACK", 1_000_000)
    fresh = bundle_with({name: np.full(shape, 1e-4, np.float32) for name, shape in shapes.items()})
    stacks = []
    monkeypatch.setattr(network, "stacked", lambda *given: stacks.append(given))
    apart = fresh.predict(texts, names)
    assert not stacks
    for one, other in zip(together, apart, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-4)


def test_adapters_of_other_families_apart(zoo, monkeypatch):
    """As in one batch: heads of different widths, of texts and of tokens, and none at all."""
    bundle = Bundle.load(zoo.bundle, threads=1)
    inputs = ["glad sun", ("sad", "tea"), ["glad", "sad", "rain"], ("good bad", "calm tea sea")]
    names = ["first", "second-intermediate", "first-intermediate-tags", "second"]
    together = bundle.predict(inputs, names)
    monkeypatch.setattr(network, "LARGEST_STACK", 1)
    apart = Bundle.load(zoo.bundle, threads=1).predict(inputs, names)
    assert apart[0].scores == pytest.approx(together[0].scores, abs=1e-4)
    assert apart[1].scores == pytest.approx(together[1].scores, abs=1e-4)
    assert (apart[2].tags, apart[2].scores) == (together[2].tags, pytest.approx(together[2].scores, abs=1e-4))
    assert apart[3].text == together[3].text


@pytest.fixture
def bundle_with(zoo, tmp_path):
    """A bundle whose adapter `first` has other weights."""

    def make(weights):
        path = tmp_path / "other.onnx_adapter"
        write_adapter(path, weights)
        bundle = Bundle.load(zoo.bundle, threads=1)
        bundle.add_adapter(path, bundle.adapter("first"))
        return bundle

    return make


def test_an_adapter_that_takes_more_than_the_base_is_refused(zoo, exported, tmp_path):
    folder = copied(exported, tmp_path / "long")
    described = json.loads((folder / "adapter.json").read_text())
    described["adapter"]["max_length"] = 10**9
    (folder / "adapter.json").write_text(json.dumps(described))
    with pytest.raises(BundleError, match="takes 1000000000 tokens, but the base takes 78"):
        Bundle.load(zoo.bundle, threads=1).load_adapter(summed(folder))


@pytest.mark.parametrize("name", ["SHA256SUMS", "adapter.json", "first.onnx_adapter"])
def test_pipes_do_not_keep_anybody_waiting(zoo, exported, tmp_path, name):
    folder = copied(exported, tmp_path / "pipe")
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(BundleError):
        Bundle.load(zoo.bundle, threads=1).load_adapter(folder)


@pytest.mark.parametrize(
    "place", ["/etc/passwd", "/dev/zero", "../secret.bin", "adapters/../../secret.bin", "link.bin"]
)
def test_a_graph_reads_its_weights_from_its_own_folder_alone(zoo, tmp_path, place):
    folder = copied(zoo.bundle, tmp_path / "bundle")
    secret = tmp_path / "secret.bin"
    secret.write_bytes((folder / "weights.bin").read_bytes())
    if place == "link.bin":
        (folder / place).symlink_to("/dev/zero")
    change_weights(folder, lambda tensor: located(tensor, place))
    with pytest.raises(BundleError):
        Bundle.load(summed(folder) if place != "link.bin" else folder, threads=1)


@pytest.mark.parametrize("dims", [[2**40], [2**62, 2**62], [-1], [2**32, 2**32], [0, 2**62], [1] * 5000])
def test_giant_weights_of_a_graph_are_refused(zoo, tmp_path, dims):
    folder = copied(zoo.bundle, tmp_path / "bundle")
    change_weights(folder, lambda tensor: tensor.ClearField("dims") or tensor.dims.extend(dims))
    with pytest.raises(BundleError, match=r"model\.onnx: cannot be used"):
        Bundle.load(summed(folder), threads=1)


def change_weights(folder, change):
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        if tensor.external_data:
            change(tensor)
    (folder / "model.onnx").write_bytes(model.SerializeToString())


def located(tensor, place):
    for entry in tensor.external_data:
        if entry.key == "location":
            entry.value = place
