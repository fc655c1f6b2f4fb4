import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.tasks.features import UNLABELLED, Features, pack, write_features

NESTED = st.lists(st.lists(st.lists(st.integers(0, 250_000), min_size=1, max_size=6), min_size=1, max_size=4))
KINDS = ("example", "token", "sequence")
count = itertools.count()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("features")


def arrays(features):
    return {name: (array.dtype, array.shape, array.tolist()) for name, array in vars(features).items()}


def features_of(nested, kind="example"):
    """With labels of this kind, each another one."""
    flat = [ids for sequences in nested for ids in sequences]
    tokens = sum(map(len, flat))
    if kind == "token":
        return pack(nested, list(range(tokens)), carriers=[bool(number % 2) for number in range(tokens)])
    if kind == "sequence":
        labels = [(number, UNLABELLED) for number in range(len(flat))]
        return pack(nested, labels, offsets=[(number, number + 1) for number in range(tokens)])
    return pack(nested, list(range(len(nested))))


def written(folder, parts):
    new = folder / str(next(count))
    new.mkdir()
    write_features(new, parts)
    return new


@given(nested=NESTED)
def test_pack_keeps_every_token_in_its_place(nested):
    features = pack(nested, [0] * len(nested))
    assert len(features) == len(nested)
    assert features.widths().tolist() == [len(sequences) for sequences in nested]
    assert features.lengths().tolist() == [max(map(len, sequences)) for sequences in nested]
    for example, sequences in enumerate(nested):
        first = features.examples[example]
        for row, ids in enumerate(sequences, start=first):
            assert features.ids[features.sequences[row] : features.sequences[row + 1]].tolist() == ids


@pytest.mark.parametrize("nested", [[], [[[5, 6]], [[7]]]])
def test_arrays_are_of_the_kinds_that_are_documented(nested):
    features = pack(nested, list(range(len(nested))))
    assert {name: array.dtype for name, array in vars(features).items()} == {
        "ids": np.int32, "sequences": np.int64, "examples": np.int64,
        "labels": np.int32, "carriers": np.bool_, "offsets": np.int32,
    }  # fmt: skip
    assert features.offsets.shape == (0, 2)
    assert features.lengths().dtype == features.widths().dtype == np.int64
    assert pack(nested, [0] * len(nested), offsets=[(0, 1)]).offsets.dtype == np.int32


@given(nested=NESTED.filter(bool), kind=st.sampled_from(KINDS))
def test_what_is_labelled_follows_from_the_arrays(nested, kind):
    features = features_of(nested, kind)
    assert features.labels_of == kind
    assert len(features.labels) == {
        "example": len(features), "token": len(features.ids), "sequence": len(features.sequences) - 1
    }[kind]  # fmt: skip
    windows = features.by_sequence()
    assert windows.lengths().tolist() == [len(ids) for sequences in nested for ids in sequences]
    assert set(windows.widths().tolist()) == {1}


@given(nested=NESTED, kind=st.sampled_from(KINDS))
def test_what_is_saved_is_loaded(nested, kind, folder):
    features = features_of(nested, kind)
    assert arrays(Features.load(written(folder, [features]))) == arrays(features)


@given(parts=st.lists(NESTED.filter(bool), min_size=1, max_size=4), kind=st.sampled_from(KINDS))
def test_parts_follow_one_another(parts, kind, folder):
    together = Features.load(written(folder, [features_of(part, kind) for part in parts]))
    whole = features_of([sequences for part in parts for sequences in part], kind)
    for name in ("ids", "sequences", "examples"):
        assert getattr(together, name).tolist() == getattr(whole, name).tolist()
    for name in ("labels", "carriers", "offsets"):
        own = np.concatenate([getattr(features_of(part, kind), name) for part in parts])
        assert getattr(together, name).tolist() == own.tolist()


def test_loaded_arrays_stay_on_disk_and_cannot_be_changed(tmp_path):
    features = Features.load(written(tmp_path, [features_of([[[5, 6]], [[7]]], "token")]))
    for array in vars(features).values():
        assert array.size == 0 or isinstance(array, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        features.ids[0] = 3


def test_token_ids_take_four_bytes_and_the_files_are_hardly_larger(tmp_path):
    folder = written(tmp_path, [pack([[list(range(10_000))]], [0])])
    assert sum(path.stat().st_size for path in folder.iterdir()) < 4 * 10_000 + 2_000


@pytest.mark.parametrize("damage", ["cut", "long", "missing", "shapes", "key"])
def test_damage_is_noticed(damage, tmp_path):
    folder = written(tmp_path, [features_of([[[5, 6]], [[7]]])])
    ids, shapes = folder / "ids", folder / "shapes.json"
    if damage == "cut":
        ids.write_bytes(ids.read_bytes()[:-1])
    elif damage == "long":
        ids.write_bytes(ids.read_bytes() + b"\0" * 4)
    elif damage == "missing":
        ids.unlink()
    elif damage == "shapes":
        shapes.write_text(shapes.read_text()[:20])
    else:
        shapes.write_text("{}")
    with pytest.raises((OSError, ValueError, KeyError)):
        Features.load(folder)


def test_no_address_of_an_object_is_taken_from_a_file(tmp_path):
    folder = written(tmp_path, [pack([[[0, 5, 2]]], [0])])
    shapes = json.loads((folder / "shapes.json").read_text())
    (folder / "labels").write_bytes(b"\0" * 8)
    (folder / "shapes.json").write_text(json.dumps(shapes | {"labels": ["|O", [1]]}))
    with pytest.raises(ValueError, match="labels: damaged"):
        Features.load(folder)
