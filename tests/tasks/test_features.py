import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowres_stilts.tasks.features import Features, pack

NESTED = st.lists(st.lists(st.lists(st.integers(0, 250_000), min_size=1, max_size=6), min_size=1, max_size=4))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("features")


def arrays(features):
    return {name: (array.dtype, array.tolist()) for name, array in vars(features).items()}


@settings(max_examples=50)
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


@settings(max_examples=30)
@given(nested=NESTED, per_token=st.booleans())
def test_what_is_saved_is_loaded(nested, per_token, folder):
    tokens = sum(len(ids) for sequences in nested for ids in sequences)
    features = pack(nested, [-100] * (tokens if per_token else len(nested)), [True] * tokens if per_token else ())
    features.save(folder / "features.npz")
    assert arrays(Features.load(folder / "features.npz")) == arrays(features)


def test_token_ids_take_four_bytes_and_the_file_is_hardly_larger(tmp_path):
    features = pack([[list(range(10_000))]], [0])
    features.save(tmp_path / "features.npz")
    assert (tmp_path / "features.npz").stat().st_size < 4 * 10_000 + 2_000


def test_the_file_holds_no_pickle_and_a_pickle_is_not_loaded(tmp_path):
    class Evil:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    path = tmp_path / "features.npz"
    features = pack([[[0, 5, 2]]], [0])
    features.save(path)
    with zipfile.ZipFile(path) as archive:
        assert {name.removesuffix(".npy") for name in archive.namelist()} == set(vars(features))
    with np.load(path, allow_pickle=False) as saved:
        kept = {name: saved[name] for name in saved.files}
    np.savez(path, **kept | {"labels": np.array([Evil()], dtype=object)})
    with pytest.raises(ValueError, match="allow_pickle=False"):
        Features.load(path)
